//! The brokers of a cluster, each with a connection once it is needed.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::Request;

use super::connection::Connection;
use super::{Failure, check, text, topic};

/// One of a topic's partitions.
pub type Partition = (String, i32);

const UNKNOWN_TOPIC: i16 = 3;
const NO_LEADER: i16 = 5;

/// How soon a topic that is being made is asked for again.
const CREATION_POLL: Duration = Duration::from_millis(50);

/// What a broker says of a group while it reads what it stored of it, or makes the place where it stores it, or is not the
/// one that does: COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
const COORDINATOR_PASSES: [i16; 3] = [14, 15, 16];
/// How soon it is asked again then, and for how long.
const COORDINATOR_POLL: Duration = Duration::from_millis(100);
const COORDINATOR_PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub struct Cluster {
    first: Connection,
    /// Addresses by number.
    brokers: BTreeMap<i32, String>,
    connections: BTreeMap<i32, Connection>,
    /// The leaders that are known.
    leaders: BTreeMap<Partition, i32>,
    /// The groups' coordinators that are known.
    coordinators: BTreeMap<String, i32>,
}

impl Cluster {
    /// Connects to the first of these addresses (HOST:PORT, with commas between them) where somebody answers.
    ///
    /// # Errors
    /// Nobody does.
    pub fn connect(bootstrap: &str) -> Result<Self, Failure> {
        let mut why = format!("--bootstrap {bootstrap}: write HOST:PORT");
        for address in bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            match Connection::open(address) {
                Ok(first) => {
                    let (brokers, connections) = (BTreeMap::new(), BTreeMap::new());
                    let (leaders, coordinators) = (BTreeMap::new(), BTreeMap::new());
                    return Ok(Self { first, brokers, connections, leaders, coordinators });
                }
                Err(failure) => why = failure,
            }
        }
        Err(why)
    }

    /// A connection for what any broker answers.
    pub const fn any(&mut self) -> &mut Connection {
        &mut self.first
    }

    /// The numbers of all brokers.
    ///
    /// # Errors
    /// They cannot be asked for.
    pub fn broker_ids(&mut self) -> Result<Vec<i32>, Failure> {
        self.metadata(Some(&[]))?;
        Ok(self.brokers.keys().copied().collect())
    }

    /// The connection to a broker.
    ///
    /// # Errors
    /// There is none of that number, or it cannot be reached.
    pub fn broker(&mut self, id: i32) -> Result<&mut Connection, Failure> {
        if !self.connections.contains_key(&id) {
            let address = self.brokers.get(&id).ok_or_else(|| format!("no broker has the number {id}"))?;
            self.connections.insert(id, Connection::open(address)?);
        }
        Ok(self.connections.get_mut(&id).expect("it was just there"))
    }

    /// What the cluster says of some topics, or of all of them; none is created by asking.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, Failure> {
        let topics = topics.map(|topics| {
            let named = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic(name)));
            topics.iter().map(named).collect()
        });
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let response = self.first.call(&request)?;
        for broker in &response.brokers {
            self.brokers.insert(broker.node_id.0, address(&broker.host, broker.port));
        }
        for topic in &response.topics {
            let Some(name) = &topic.name else { continue };
            for partition in &topic.partitions {
                self.leaders.insert((name.to_string(), partition.partition_index), partition.leader_id.0);
            }
        }
        Ok(response)
    }

    /// One topic.
    ///
    /// # Errors
    /// There is no such topic, or it cannot be asked for.
    pub fn topic(&mut self, name: &str) -> Result<MetadataResponseTopic, Failure> {
        let mut response = self.metadata(Some(&[name]))?;
        let topic = response.topics.pop().ok_or_else(|| format!("nothing is known of the topic {name}"))?;
        if topic.error_code == UNKNOWN_TOPIC {
            return Err(format!(
                "there is no topic {name}: `tora topic list` shows those there are, `tora topic create {name}` makes it"
            ));
        }
        check(topic.error_code, None, &format!("the topic {name}"))?;
        Ok(topic)
    }

    /// Has a topic made by asking for it, where it is not there and the cluster makes topics that way.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn create_by_asking(&mut self, name: &str) -> Result<(), Failure> {
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            let wanted = MetadataRequestTopic::default().with_name(Some(topic(name)));
            let request = MetadataRequest::default()
                .with_topics(Some(vec![wanted]))
                .with_allow_auto_topic_creation(true);
            let response = self.first.call(&request)?;
            // Some brokers make it meanwhile, and say until then that it has no leader, or even that it is unknown.
            if response
                .topics
                .iter()
                .all(|topic| topic.error_code != UNKNOWN_TOPIC && topic.error_code != NO_LEADER)
            {
                break;
            }
            thread::sleep(CREATION_POLL);
        }
        Ok(())
    }

    /// The numbers of a topic's partitions, ascending.
    ///
    /// # Errors
    /// As [`Cluster::topic`].
    pub fn partitions(&mut self, name: &str) -> Result<Vec<i32>, Failure> {
        let topic = self.topic(name)?;
        let mut partitions: Vec<i32> =
            topic.partitions.iter().map(|partition| partition.partition_index).collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// The broker that leads a partition.
    ///
    /// # Errors
    /// None is known.
    pub fn leader(&mut self, name: &str, partition: i32) -> Result<i32, Failure> {
        let key = (name.to_owned(), partition);
        if !self.leaders.contains_key(&key) {
            self.topic(name)?;
        }
        self.leaders
            .get(&key)
            .copied()
            .filter(|leader| *leader >= 0)
            .ok_or_else(|| format!("the topic {name} has no partition {partition}, or nobody leads it"))
    }

    /// Offsets of partitions by Kafka's timestamps: −1 the end, −2 the start, otherwise the first record at or after it,
    /// and the end where there is none.
    ///
    /// # Errors
    /// A partition that cannot be asked.
    pub fn offsets(
        &mut self,
        partitions: &[Partition],
        time: i64,
    ) -> Result<BTreeMap<Partition, i64>, Failure> {
        let mut found = BTreeMap::new();
        for (name, index) in partitions {
            let leader = self.leader(name, *index)?;
            let partition = ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(time);
            let wanted = ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
            let request =
                ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![wanted]);
            let response = self.broker(leader)?.call_upto(7, &request)?;
            let told = response.topics.first().and_then(|topic| topic.partitions.first());
            let told = told.ok_or_else(|| format!("nothing is said of {name}-{index}"))?;
            check(told.error_code, None, &format!("the offsets of {name}-{index}"))?;
            let offset = if told.offset < 0 && time >= 0 {
                self.offsets(&[(name.clone(), *index)], -1)?.into_values().next().unwrap_or(0)
            } else {
                told.offset
            };
            found.insert((name.clone(), *index), offset);
        }
        Ok(found)
    }

    /// Asks a broker for what its coordinators know, in no higher version than `max`; again while one still reads what it
    /// stored. `error` finds in the response what it refuses with.
    ///
    /// # Errors
    /// It cannot be reached. What it refuses is in the response.
    pub fn ask_coordinators_of<R: Request>(
        &mut self,
        id: i32,
        max: i16,
        request: &R,
        error: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, Failure> {
        let deadline = Instant::now() + COORDINATOR_PATIENCE;
        loop {
            let response = self.broker(id)?.call_upto(max, request)?;
            if !COORDINATOR_PASSES.contains(&error(&response)) || Instant::now() >= deadline {
                return Ok(response);
            }
            thread::sleep(COORDINATOR_POLL);
        }
    }

    /// Asks a group's coordinator, in no higher version than `max`; again while there is none yet, or it still reads what it
    /// stored. `error` finds in the response what it refuses with.
    ///
    /// # Errors
    /// There is none, or it cannot be reached. What it refuses is in the response.
    pub fn ask_coordinator<R: Request>(
        &mut self,
        group: &str,
        max: i16,
        request: &R,
        error: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, Failure> {
        let response = self.ask_coordinator_or_stop(group, max, request, error, None)?;
        Ok(response.expect("nothing stops it"))
    }

    /// The same for what may be answered much later: `None` once `stop` is set.
    ///
    /// # Errors
    /// As [`Cluster::ask_coordinator`].
    pub fn ask_coordinator_until<R: Request>(
        &mut self,
        group: &str,
        request: &R,
        error: impl Fn(&R::Response) -> i16,
        stop: &AtomicBool,
    ) -> Result<Option<R::Response>, Failure> {
        self.ask_coordinator_or_stop(group, i16::MAX, request, error, Some(stop))
    }

    fn ask_coordinator_or_stop<R: Request>(
        &mut self,
        group: &str,
        max: i16,
        request: &R,
        error: impl Fn(&R::Response) -> i16,
        stop: Option<&AtomicBool>,
    ) -> Result<Option<R::Response>, Failure> {
        let deadline = Instant::now() + COORDINATOR_PATIENCE;
        loop {
            let id = self.coordinator(group, deadline)?;
            let broker = self.broker(id)?;
            let response = match stop {
                Some(stop) => broker.call_until(request, stop)?,
                None => Some(broker.call_upto(max, request)?),
            };
            let Some(response) = response else {
                // Its answer is still to come, and nobody waits for it.
                self.connections.remove(&id);
                return Ok(None);
            };
            if !COORDINATOR_PASSES.contains(&error(&response)) || Instant::now() >= deadline {
                return Ok(Some(response));
            }
            self.coordinators.remove(group);
            thread::sleep(COORDINATOR_POLL);
        }
    }

    /// The number of a group's coordinator.
    fn coordinator(&mut self, group: &str, deadline: Instant) -> Result<i32, Failure> {
        if let Some(id) = self.coordinators.get(group) {
            return Ok(*id);
        }
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let response = loop {
            let response = self.first.call_upto(3, &request)?;
            if !COORDINATOR_PASSES.contains(&response.error_code) || Instant::now() >= deadline {
                break response;
            }
            thread::sleep(COORDINATOR_POLL);
        };
        let what = format!("the coordinator of the group {group}");
        check(response.error_code, response.error_message.as_ref(), &what)?;
        let id = response.node_id.0;
        self.brokers.insert(id, address(&response.host, response.port));
        self.coordinators.insert(group.to_owned(), id);
        Ok(id)
    }
}

fn address(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
