//! An agent's end of a tunnel in few lines, of the library that the agent uses.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::client::{self, ChannelOpenHandle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure, Preferred, cipher};
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::site::{Agent, Site};

/// An agent's end in few lines: each connection that is asked for goes to the device, and ends with
/// the link: the library lets whoever writes to a lost one wait for ever.
pub struct Carrier {
    device: SocketAddr,
    link: watch::Sender<()>,
}

impl client::Handler for Carrier {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        let (device, mut link) = (self.device, self.link.subscribe());
        tokio::spawn(async move {
            let Ok(mut device) = TcpStream::connect(device).await else {
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
                return;
            };
            device.set_nodelay(true).unwrap();
            reply.accept().await;
            let mut channel = channel.into_stream();
            let size = 64 * 1024;
            tokio::select! {
                _ = copy_bidirectional_with_sizes(&mut channel, &mut device, size, size) => {}
                _ = link.changed() => {}
            }
        });
        Ok(())
    }
}

/// A device that sends so many octets to whoever connects.
pub async fn source(octets: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let page = vec![7; 64 * 1024];
                let mut left = octets;
                while left > 0 {
                    let now = left.min(page.len() as u64);
                    if stream.write_all(&page[..now as usize]).await.is_err() {
                        return;
                    }
                    left -= now;
                }
                let _ = stream.shutdown().await;
            });
        }
    });
    at
}

/// Connects and logs in as an agent does; what the gateway asks for goes to this device.
pub async fn dial(site: &Site, agent: &Agent, device: SocketAddr) -> client::Handle<Carrier> {
    let config = client::Config {
        nodelay: true,
        preferred: Preferred {
            cipher: vec![cipher::AES_256_GCM].into(),
            ..Preferred::default()
        },
        ..client::Config::default()
    };
    let link = watch::Sender::new(());
    let carrier = Carrier { device, link };
    let dialing = client::connect(Arc::new(config), site.at, carrier);
    let mut client = dialing.await.unwrap();
    let pem = std::fs::read_to_string(&agent.key).unwrap();
    let key = russh::keys::decode_secret_key(&pem, None).unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let proven = client.authenticate_publickey(&agent.id, key).await.unwrap();
    assert!(proven.success());
    client
}
