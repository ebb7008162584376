//! Topics that come and go while the server is killed.

use kafka_protocol::messages::DeleteTopicsRequest;

use super::PARTITIONS;
use super::producer::new_id;
use crate::support::Client;
use crate::support::requests::{batch, creation, fetch, metadata, name, produce, produced};
use crate::support::stored::{only, values};

/// Names in use.
const TOPICS: usize = 4;

/// What is known of a topic of some name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is none.
    Absent,
    /// There is one, with this id.
    Present([u8; 16]),
    /// A creation or a deletion was under way when the server was killed. What there was before it.
    Unknown(Option<[u8; 16]>),
}

/// A name.
struct Topic {
    name: String,
    state: State,
    /// What was last sent to it, and whether it was acknowledged. Every topic of the name gets one record.
    sent: Option<(String, bool)>,
    /// Topics of the name that were created.
    created: u32,
}

/// The names, and the producer ids that were given out meanwhile.
pub struct Topics {
    topics: Vec<Topic>,
    ids: Vec<i64>,
}

impl Topics {
    /// None yet.
    pub fn new() -> Self {
        let topic =
            |at| Topic { name: format!("passing-{at}"), state: State::Absent, sent: None, created: 0 };
        Self { topics: (0..TOPICS).map(topic).collect(), ids: Vec::new() }
    }

    /// Creates, fills and deletes topics until the server is gone.
    pub fn run(&mut self, address: &str) {
        let Some(mut client) = Client::try_connect(address) else { return };
        while self.turn(&mut client).is_some() {}
    }

    /// Fails the test unless there are just the topics that there must be, with what must be in them.
    pub fn check(&mut self, client: &mut Client) {
        for topic in &mut self.topics {
            topic.check(client);
        }
        let before = self.ids.len();
        self.ids.sort_unstable();
        self.ids.dedup();
        assert_eq!(self.ids.len(), before, "no id is given out twice");
    }

    /// How many topics were created and deleted again, at least.
    pub fn passed(&self) -> u32 {
        self.topics.iter().map(|topic| topic.created.saturating_sub(1)).sum()
    }

    fn turn(&mut self, client: &mut Client) -> Option<()> {
        for topic in &mut self.topics {
            match topic.state {
                State::Absent => topic.create(client)?,
                State::Present(id) => topic.delete(client, id)?,
                State::Unknown(_) => unreachable!("it was looked up after the restart"),
            }
        }
        self.ids.push(new_id(client)?);
        Some(())
    }
}

impl Topic {
    fn create(&mut self, client: &mut Client) -> Option<()> {
        self.state = State::Unknown(None);
        self.sent = None;
        let response = client.try_call(7, &creation(&self.name, PARTITIONS))?;
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
        self.state = State::Present(response.topics[0].topic_id.into_bytes());
        self.created += 1;
        let value = format!("{} number {}", self.name, self.created);
        self.sent = Some((value.clone(), false));
        let response = client.try_call(9, &produce(&self.name, 0, batch(&[&value])))?;
        assert_eq!(
            (produced(&response).error_code, produced(&response).base_offset),
            (0, 0),
            "it is a new log"
        );
        self.sent = Some((value, true));
        Some(())
    }

    fn delete(&mut self, client: &mut Client, id: [u8; 16]) -> Option<()> {
        self.state = State::Unknown(Some(id));
        let request = DeleteTopicsRequest::default().with_topic_names(vec![name(&self.name)]);
        let response = client.try_call(4, &request)?;
        assert_eq!(response.responses[0].error_code, 0, "{}", self.name);
        self.state = State::Absent;
        Some(())
    }

    fn check(&mut self, client: &mut Client) {
        let response = client.call(12, &metadata(&self.name).with_allow_auto_topic_creation(false));
        let answer = &response.topics[0];
        let found = match answer.error_code {
            0 => State::Present(answer.topic_id.into_bytes()),
            3 => State::Absent,
            error => panic!("{}: error {error}", self.name),
        };
        let possible = match (self.state, found) {
            (State::Unknown(Some(before)), State::Present(id)) => id == before,
            (State::Unknown(_), _) => true,
            (known, found) => known == found,
        };
        assert!(possible, "{}: {:?} became {found:?}", self.name, self.state);
        self.state = found;
        if found == State::Absent {
            return;
        }
        let response = client.call(11, &fetch(&self.name, &[(0, 0)]));
        let found: Vec<_> = values(only(&response)).into_iter().map(|(_, value)| value).collect();
        match &self.sent {
            Some((value, true)) => assert_eq!(found, [&**value]),
            Some((value, false)) => assert!(found.is_empty() || found == [&**value], "{found:?}"),
            None => assert!(found.is_empty(), "{found:?}"),
        }
    }
}
