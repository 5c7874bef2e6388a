//! A clerk who orders things of a World's agents while programs are killed, and afterwards compares
//! what the hub's store says of each command with what the agents' logs say.
//!
//! The commands are made as `platen-hub cmd … --no-wait` makes them: signed with the hub's key and
//! written into its store, whether the hub runs or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hub::command_key::CommandKey;
use hub::door::command::issue::{IssueError, issue};
use hub::door::command::order::Order;
use hub::permission::{Object, Subject, permit};
use hub::store::commands::{CommandRow, CommandState};
use hub::store::{Store, StoreError, Tenant};
use jiff::Timestamp;
use serde_json::Value;

use crate::{World, until};

/// How long a command of the clerk's is good for: longer than any story.
const LIFE: Duration = Duration::from_hours(4);

/// Most commands of one agent: the store keeps a thousand, and all are looked at afterwards.
const AN_AGENT_MAX: usize = 990;

/// Between two tries at a store that another program writes to.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The clerk.
#[derive(Debug)]
pub struct Clerk {
    store: Store,
    key: CommandKey,
    /// By name: the agent's id, and how many commands it was given.
    agents: BTreeMap<String, (String, usize)>,
    /// The ids of all commands.
    ordered: BTreeSet<String>,
}

/// What came of the commands, counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Commands that were ordered; each has one last word.
    pub ordered: usize,
    /// Of those, by last word.
    pub done: usize,
    /// Begun, and cut short.
    pub failed: usize,
    /// Nothing was done.
    pub refused: usize,
    /// The last word that they came too late.
    pub expired: usize,
    /// Commands that an agent was given at least twice, by its log.
    pub again: usize,
}

impl Clerk {
    /// A clerk of the World's hub, for the agents that are enrolled.
    ///
    /// # Panics
    /// When the hub's store or key cannot be opened.
    pub async fn of(world: &World) -> Self {
        let folder = world.path("hub");
        let store = Store::open("sqlite:hub.db", &folder).await;
        let store = store.expect("the hub's store");
        let agents = store.agents(&Tenant::DEFAULT).await.expect("agents");
        let agents = agents.into_iter().map(|it| (it.name, (it.id, 0)));
        Self {
            store,
            key: CommandKey::open(&folder).expect("the hub's key"),
            agents: agents.collect(),
            ordered: BTreeSet::new(),
        }
    }

    /// Orders something of an agent. Says no when as many commands wait for it as may, or when it
    /// was given as many as can be looked at afterwards.
    ///
    /// # Panics
    /// When the hub's rules do not let it.
    pub async fn orders(&mut self, agent: &str, order: &Order) -> bool {
        let (id, given) = self.agents.get_mut(agent).expect("an agent");
        if *given == AN_AGENT_MAX {
            return false;
        }
        let object = Object {
            tenant: &Tenant::DEFAULT,
            agent: id,
            is_enrolled: true,
        };
        let permission = permit(&Subject::Operator, order.action(), object).expect("permitted");
        let (hub, why) = ((&self.store, &self.key), ("a story", LIFE));
        match issue(hub, &permission, order, why, Timestamp::now()).await {
            Ok(command) => {
                *given += 1;
                self.ordered.insert(command)
            }
            Err(IssueError::TooMany | IssueError::Store(StoreError::Locked)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until every command has a last word.
    ///
    /// # Panics
    /// When that takes longer than `patience`; with those that have none.
    pub async fn waits(&self, patience: Duration) {
        let end = tokio::time::Instant::now() + patience;
        loop {
            let rows = self.rows().await;
            let open: Vec<_> = rows.iter().filter(|row| !row.state.is_answered()).collect();
            if open.is_empty() {
                return;
            }
            let is_late = tokio::time::Instant::now() > end;
            assert!(!is_late, "{} have no last word: {open:#?}", open.len());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Compares the store, the hub's log and the agents' logs, when every command is answered.
    ///
    /// # Panics
    /// When a command was lost, answered twice in two ways, or carried out twice; or when one was
    /// carried out that nobody ordered.
    pub async fn judges(&self, world: &World, agents: &[&str]) -> Tally {
        let rows = self.rows().await;
        let in_store = world.commands().await;
        assert_eq!(in_store, self.ordered, "the store holds what was ordered");
        let logs: String = agents.iter().map(|agent| world.log_of(agent)).collect();
        let begun = told(&logs, "a command is begun");
        let known = begun.keys().all(|id| self.ordered.contains(id));
        assert!(known, "an agent did what nobody ordered");
        let twice: Vec<_> = begun.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "carried out twice: {twice:?}");
        let hub = world.log_of("hub");
        let ended = told(&hub, "a command ended");
        let twice: Vec<_> = ended.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "two first last words: {twice:?}");
        let other = told(&hub, "a second and different outcome; the first one stays");
        assert!(other.is_empty(), "two different outcomes: {other:?}");
        let mut tally = Tally {
            ordered: rows.len(),
            again: again(&logs),
            ..Tally::default()
        };
        let mut whys: BTreeMap<&str, u32> = BTreeMap::new();
        for row in &rows {
            tally.count(row, begun.contains_key(&row.id));
            if row.state != CommandState::Done {
                *whys.entry(&row.why).or_default() += 1;
            }
        }
        println!("not done: {whys:?}");
        tally
    }

    async fn rows(&self) -> Vec<CommandRow> {
        let mut rows = Vec::with_capacity(self.ordered.len());
        for id in &self.ordered {
            let row = until("the store answers", crate::PATIENCE, || async {
                let row = self.store.command(&Tenant::DEFAULT, id).await;
                if matches!(row, Err(StoreError::Locked)) {
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                row.ok()
            });
            rows.push(row.await.expect("a command that was ordered"));
        }
        rows
    }
}

impl Tally {
    /// Counts one command, and compares its last word with whether it was begun.
    fn count(&mut self, row: &CommandRow, is_begun: bool) {
        match row.state {
            CommandState::Done => {
                assert!(is_begun, "done, and never begun: {row:?}");
                self.done += 1;
            }
            CommandState::Failed => self.failed += 1,
            CommandState::Refused => self.refused += 1,
            CommandState::Expired => {
                let is_over = row.answered.is_some_and(|at| at >= row.expires);
                assert!(is_over, "it expired within its life: {row:?}");
                self.expired += 1;
            }
            CommandState::Open | CommandState::Underway => panic!("no last word: {row:?}"),
        }
    }
}

/// How often each command is named by the lines of a log that have this message.
fn told(log: &str, message: &str) -> BTreeMap<String, u32> {
    let mut told = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(message)) {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let fields = &line["fields"];
        if let (true, Some(id)) = (fields["message"] == message, fields["id"].as_str()) {
            *told.entry(id.to_owned()).or_default() += 1;
        }
    }
    told
}

/// Commands that an agent was given again after the first time.
fn again(log: &str) -> usize {
    let underway = told(log, "delivered again while underway");
    let ended = told(log, "delivered again; answered as before");
    underway
        .keys()
        .chain(ended.keys())
        .collect::<BTreeSet<_>>()
        .len()
}
