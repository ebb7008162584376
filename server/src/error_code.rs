//! The protocol's error codes (Kafka's `Errors`), and which of them an engine's error becomes.

use tora_engine::batch::BatchErrorKind;
use tora_engine::error::Error;

/// An error code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(i16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:expr;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*
        }
    };
}

codes! {
    /// Something that should not have happened here.
    UNKNOWN_SERVER_ERROR = -1;
    /// Success.
    NONE = 0;
    /// The offset is not held.
    OFFSET_OUT_OF_RANGE = 1;
    /// A batch whose bytes are damaged.
    CORRUPT_MESSAGE = 2;
    /// No such topic, or no such partition of it.
    UNKNOWN_TOPIC_OR_PARTITION = 3;
    /// Not the partition's leader: clients refresh their metadata and try again.
    NOT_LEADER_OR_FOLLOWER = 6;
    /// Not done in time: clients try again.
    REQUEST_TIMED_OUT = 7;
    /// A batch above `max.message.bytes`.
    MESSAGE_TOO_LARGE = 10;
    /// What a client keeps with an offset is longer than `offset.metadata.max.bytes`.
    OFFSET_METADATA_TOO_LARGE = 12;
    /// The group's coordinator is reading its log: clients try again.
    COORDINATOR_LOAD_IN_PROGRESS = 14;
    /// There is no coordinator just now: clients look again.
    COORDINATOR_NOT_AVAILABLE = 15;
    /// The group is kept elsewhere: clients look again.
    NOT_COORDINATOR = 16;
    /// A topic's name that cannot be one.
    INVALID_TOPIC_EXCEPTION = 17;
    /// Acknowledgements asked for are not −1, 0 or 1.
    INVALID_REQUIRED_ACKS = 21;
    /// The member speaks of another generation than the group's.
    ILLEGAL_GENERATION = 22;
    /// Members of a group that have no assignor, or not the same kind, in common.
    INCONSISTENT_GROUP_PROTOCOL = 23;
    /// A group's id that cannot be one.
    INVALID_GROUP_ID = 24;
    /// The group has no such member: it joins again.
    UNKNOWN_MEMBER_ID = 25;
    /// A session's time outside of what is allowed.
    INVALID_SESSION_TIMEOUT = 26;
    /// The group's members are to join again.
    REBALANCE_IN_PROGRESS = 27;
    /// Offsets that do not fit into one batch.
    INVALID_COMMIT_OFFSET_SIZE = 28;
    /// Records with the broker's time that did not come from a broker.
    INVALID_TIMESTAMP = 32;
    /// A version that is not served.
    UNSUPPORTED_VERSION = 35;
    /// A topic of that name exists.
    TOPIC_ALREADY_EXISTS = 36;
    /// A number of partitions that cannot be.
    INVALID_PARTITIONS = 37;
    /// More replicas than there are brokers.
    INVALID_REPLICATION_FACTOR = 38;
    /// Replicas assigned by hand to what does not exist.
    INVALID_REPLICA_ASSIGNMENT = 39;
    /// A topic's setting that cannot be used.
    INVALID_CONFIG = 40;
    /// A request that contradicts itself, or asks for what is not served.
    INVALID_REQUEST = 42;
    /// Records of format v0 or v1.
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
    /// An idempotent producer's batch that does not follow its last one.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
    /// A batch that was appended long ago.
    DUPLICATE_SEQUENCE_NUMBER = 46;
    /// A producer whose session was taken over.
    INVALID_PRODUCER_EPOCH = 47;
    /// The partition's disk failed or is full.
    KAFKA_STORAGE_ERROR = 56;
    /// The group has members, and cannot be deleted.
    NON_EMPTY_GROUP = 68;
    /// There is no such group.
    GROUP_ID_NOT_FOUND = 69;
    /// A fetch session that this broker never gave out.
    FETCH_SESSION_ID_NOT_FOUND = 70;
    /// A fetch that is not its session's next one.
    INVALID_FETCH_SESSION_EPOCH = 71;
    /// The client's leader epoch is older than the partition's.
    FENCED_LEADER_EPOCH = 74;
    /// The client's leader epoch is newer than the partition's.
    UNKNOWN_LEADER_EPOCH = 75;
    /// A codec that the version of the request does not allow.
    UNSUPPORTED_COMPRESSION_TYPE = 76;
    /// The member is told its id, with which it joins.
    MEMBER_ID_REQUIRED = 79;
    /// `group.max.size` members are in the group.
    GROUP_MAX_SIZE_REACHED = 81;
    /// Another member has the same `group.instance.id` now.
    FENCED_INSTANCE_ID = 82;
    /// A member of the group reads the topic, whose offsets therefore stay.
    GROUP_SUBSCRIBED_TO_TOPIC = 86;
    /// A batch that is whole but must not be appended.
    INVALID_RECORD = 87;
    /// No topic has this id.
    UNKNOWN_TOPIC_ID = 100;
    /// A fetch session whose topics are named by id where they were named by name, or the other way.
    FETCH_SESSION_TOPIC_ID_ERROR = 106;
    /// The endpoints asked for are not of this kind of server.
    UNSUPPORTED_ENDPOINT_TYPE = 115;
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> i16 {
        self.0
    }

    /// Whether this is success.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// What a client is told of an engine's error.
    ///
    /// `Busy` and `Stopped` become errors after which every client tries again; a full disk is a storage error, since
    /// that is what Kafka's clients know how to wait for.
    #[must_use]
    pub const fn of(error: &Error) -> Self {
        match error {
            Error::UnknownPartition => Self::UNKNOWN_TOPIC_OR_PARTITION,
            Error::TopicExists => Self::TOPIC_ALREADY_EXISTS,
            Error::InvalidTopic(_) => Self::INVALID_TOPIC_EXCEPTION,
            Error::InvalidConfig(_) => Self::INVALID_CONFIG,
            Error::InvalidPartitions(_) => Self::INVALID_PARTITIONS,
            Error::OffsetOutOfRange { .. } => Self::OFFSET_OUT_OF_RANGE,
            Error::Batch(fault) => match fault.kind() {
                BatchErrorKind::Corrupt => Self::CORRUPT_MESSAGE,
                BatchErrorKind::TooLarge => Self::MESSAGE_TOO_LARGE,
                BatchErrorKind::InvalidTimestamp => Self::INVALID_TIMESTAMP,
                BatchErrorKind::UnsupportedFormat => Self::UNSUPPORTED_FOR_MESSAGE_FORMAT,
                BatchErrorKind::UnsupportedCompression => Self::UNSUPPORTED_COMPRESSION_TYPE,
                BatchErrorKind::InvalidRecord => Self::INVALID_RECORD,
            },
            Error::RecordTooLarge { .. } => Self::MESSAGE_TOO_LARGE,
            Error::OutOfOrderSequence { .. } => Self::OUT_OF_ORDER_SEQUENCE_NUMBER,
            Error::DuplicateSequence => Self::DUPLICATE_SEQUENCE_NUMBER,
            Error::InvalidProducerEpoch => Self::INVALID_PRODUCER_EPOCH,
            Error::Storage(_) | Error::DiskFull | Error::TooManyFiles => Self::KAFKA_STORAGE_ERROR,
            Error::Busy | Error::TooManyAppenders => Self::REQUEST_TIMED_OUT,
            Error::Stopped => Self::NOT_LEADER_OR_FOLLOWER,
            Error::WouldDeadlock => Self::UNKNOWN_SERVER_ERROR,
        }
    }
}
