//! The broker that a command drives.

use std::path::PathBuf;

use clap::Args;

use super::key_value;

#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// Use the broker at this address instead of starting `tora`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Broker")]
    pub bootstrap: Option<String>,

    /// Cores that `tora` is to use
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Broker")]
    pub cores: u32,

    /// A setting for `tora`, handed through; repeat for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, conflicts_with = "bootstrap", help_heading = "Broker")]
    pub set: Vec<(String, String)>,

    /// A config for the topic that the run creates, such as flush.messages=1; repeat for more
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, help_heading = "Broker")]
    pub topic_config: Vec<(String, String)>,

    /// Where the broker keeps its data. For `tora`, a new folder is made inside (default: beside the results). With
    /// --bootstrap it only tells which disk to watch, so that the run stops before it is full
    #[arg(long, value_name = "DIR", help_heading = "Broker")]
    pub data_dir: Option<PathBuf>,

    /// Keep the data folder that the run has made for `tora`
    #[arg(long, conflicts_with = "bootstrap", help_heading = "Broker")]
    pub keep_data: bool,

    /// The `tora` to start (default: the one beside this program)
    #[arg(long, value_name = "FILE", conflicts_with = "bootstrap", help_heading = "Broker")]
    pub tora: Option<PathBuf>,
}
