//! Encryption of a message's contents: DES in CBC (RFC 3414 §8.1) and AES in CFB with 128 bits
//! (RFC 3826 §3.1, and the drafts for longer keys).

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use des::Des;
use zeroize::Zeroizing;

use super::algorithm::Privacy;
use super::key::Key;

/// Octets of the salt that a message carries, for every encryption.
pub(super) const SALT_BYTES: usize = 8;

/// Octets of a block of DES.
const DES_BLOCK_BYTES: usize = 8;

/// Octets of the key of DES proper; the pre-IV follows it (RFC 3414 §8.1.1.1).
const DES_KEY_BYTES: usize = 8;

/// Octets that are wiped when they are no longer needed.
type Wiped<const BYTES: usize> = Zeroizing<[u8; BYTES]>;

/// What makes the encryption of one message differ from that of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The engine's boots as the message says them.
    pub(super) boots: u32,
    /// The engine's time as the message says it.
    pub(super) time: u32,
    /// The message's salt.
    pub(super) salt: [u8; SALT_BYTES],
}

impl Moment {
    /// The salt for a message: every number makes another. DES's begins with the boots
    /// (RFC 3414 §8.1.1.1).
    pub(super) fn new(privacy: Privacy, (boots, time): (u32, u32), number: u64) -> Self {
        let mut salt = number.to_be_bytes();
        if privacy == Privacy::Des {
            salt[..4].copy_from_slice(&boots.to_be_bytes());
        }
        Self { boots, time, salt }
    }

    /// The initialization vector of AES (RFC 3826 §3.1.2.1).
    fn aes_iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[..4].copy_from_slice(&self.boots.to_be_bytes());
        iv[4..8].copy_from_slice(&self.time.to_be_bytes());
        iv[8..].copy_from_slice(&self.salt);
        iv
    }
}

/// Encrypts; `None` where the key has not the length that the algorithm needs.
pub(super) fn encrypt(
    (privacy, key): (Privacy, &Key),
    moment: &Moment,
    plain: &[u8],
) -> Option<Vec<u8>> {
    let mut octets = plain.to_vec();
    let iv = moment.aes_iv();
    match privacy {
        Privacy::Des => {
            let (key, iv) = des_key(key, moment)?;
            // What fills the last block is of no account (RFC 3414 §8.1.1.2).
            octets.resize(octets.len().next_multiple_of(DES_BLOCK_BYTES), 0);
            let mut cipher = cbc::Encryptor::<Des>::new_from_slices(&*key, &*iv).ok()?;
            for block in octets.chunks_exact_mut(DES_BLOCK_BYTES) {
                let block: &mut Block<Des> = block.try_into().ok()?;
                cipher.encrypt_block(block);
            }
        }
        Privacy::Aes128 => cfb_mode::Encryptor::<Aes128>::new_from_slices(key.expose(), &iv)
            .ok()?
            .encrypt(&mut octets),
        Privacy::Aes192(_) => cfb_mode::Encryptor::<Aes192>::new_from_slices(key.expose(), &iv)
            .ok()?
            .encrypt(&mut octets),
        Privacy::Aes256(_) => cfb_mode::Encryptor::<Aes256>::new_from_slices(key.expose(), &iv)
            .ok()?
            .encrypt(&mut octets),
    }
    Some(octets)
}

/// Decrypts; `None` where these octets cannot have been encrypted so.
pub(super) fn decrypt(
    (privacy, key): (Privacy, &Key),
    moment: &Moment,
    hidden: &[u8],
) -> Option<Vec<u8>> {
    let mut octets = hidden.to_vec();
    let iv = moment.aes_iv();
    match privacy {
        Privacy::Des => {
            let (key, iv) = des_key(key, moment)?;
            let mut cipher = cbc::Decryptor::<Des>::new_from_slices(&*key, &*iv).ok()?;
            let mut blocks = octets.chunks_exact_mut(DES_BLOCK_BYTES);
            for block in &mut blocks {
                let block: &mut Block<Des> = block.try_into().ok()?;
                cipher.decrypt_block(block);
            }
            if !blocks.into_remainder().is_empty() {
                return None;
            }
        }
        Privacy::Aes128 => cfb_mode::Decryptor::<Aes128>::new_from_slices(key.expose(), &iv)
            .ok()?
            .decrypt(&mut octets),
        Privacy::Aes192(_) => cfb_mode::Decryptor::<Aes192>::new_from_slices(key.expose(), &iv)
            .ok()?
            .decrypt(&mut octets),
        Privacy::Aes256(_) => cfb_mode::Decryptor::<Aes256>::new_from_slices(key.expose(), &iv)
            .ok()?
            .decrypt(&mut octets),
    }
    Some(octets)
}

/// The key of DES proper, and the initialization vector out of the pre-IV and the salt. Of the
/// vector the salt is public, so that it is as secret as the pre-IV.
fn des_key(key: &Key, moment: &Moment) -> Option<(Wiped<DES_KEY_BYTES>, Wiped<SALT_BYTES>)> {
    let (key, pre_iv) = key.expose().split_first_chunk::<DES_KEY_BYTES>()?;
    let mut iv = Zeroizing::new(<[u8; SALT_BYTES]>::try_from(pre_iv).ok()?);
    for (octet, salt) in iv.iter_mut().zip(moment.salt) {
        *octet ^= salt;
    }
    Some((Zeroizing::new(*key), iv))
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    /// Holds by its type alone: what lacks it does not compile.
    fn is_wiped<T: ZeroizeOnDrop>() {}

    #[test]
    fn every_cipher_wipes_its_key() {
        is_wiped::<cbc::Encryptor<Des>>();
        is_wiped::<cbc::Decryptor<Des>>();
        is_wiped::<cfb_mode::Encryptor<Aes128>>();
        is_wiped::<cfb_mode::Decryptor<Aes128>>();
        is_wiped::<cfb_mode::Encryptor<Aes192>>();
        is_wiped::<cfb_mode::Decryptor<Aes192>>();
        is_wiped::<cfb_mode::Encryptor<Aes256>>();
        is_wiped::<cfb_mode::Decryptor<Aes256>>();
        is_wiped::<Des>();
        is_wiped::<Aes128>();
        is_wiped::<Aes192>();
        is_wiped::<Aes256>();
    }
}
