//! Apache Kafka: brought from Maven Central where it is not there, and run as one KRaft broker at its defaults.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::admin::Admin;
use crate::progress::Progress;
use crate::sys;

/// The version that is brought.
const VERSION: &str = "4.3.1";
/// Its coordinates, for Maven.
const POM: &str = include_str!("kafka/pom.xml");
/// What `bin/kafka-run-class.sh` and `bin/kafka-server-start.sh` of that version give the JVM.
const JVM_OPTIONS: &[&str] = &[
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
];
/// Any will do, but it must be one.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// How long a start may take. Recovery of ten thousand partitions has been seen to take more than five minutes, for which a
/// comparison does not wait.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked whether it is there: starts are measured by it.
const POLL: Duration = Duration::from_millis(10);
/// How long it may take to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// How to start a Kafka on a folder that has been formatted.
pub struct Launch {
    libs: PathBuf,
    config: PathBuf,
    log: PathBuf,
    address: String,
    java: String,
    properties: String,
    /// The one core that the process is to run on; `None` where it may use all.
    bound_to: Option<usize>,
}

/// A running Kafka. Dropping it ends it.
pub struct Kafka {
    child: Child,
}

impl Launch {
    /// The folder with its jars: below `home`, or brought into the cache.
    ///
    /// # Errors
    /// A sentence that says what to install or give.
    pub fn libs(home: Option<&Path>, cache: Option<&Path>, progress: &Progress) -> Result<PathBuf, String> {
        if let Some(home) = home {
            let libs = home.join("libs");
            let why = || {
                format!(
                    "--kafka-home {}: it has no folder `libs`, as a Kafka distribution has",
                    home.display()
                )
            };
            return if libs.is_dir() { Ok(libs) } else { Err(why()) };
        }
        let cache = cache.map_or_else(default_cache, |cache| Ok(cache.to_path_buf()))?;
        // Another set of artifacts is another folder.
        let folder = cache.join(format!("kafka-{VERSION}-tools"));
        let (libs, complete) = (folder.join("libs"), folder.join(".complete"));
        if complete.exists() {
            return Ok(libs);
        }
        progress
            .say(&format!("bringing Apache Kafka {VERSION} from Maven Central into {}", folder.display()));
        let cannot = |e: io::Error| format!("cannot keep Kafka in {}: {e}", folder.display());
        fs::create_dir_all(&libs).map_err(cannot)?;
        fs::write(folder.join("pom.xml"), POM).map_err(cannot)?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(folder.join("pom.xml")).arg(format!("-Dkafka.version={VERSION}"));
        maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        maven.arg(format!("-DoutputDirectory={}", libs.canonicalize().map_err(cannot)?.display()));
        let output = maven.stdin(Stdio::null()).output().map_err(|e| {
            format!("Maven is needed to bring Kafka ({e}): install it (Debian: apt-get install maven), or give --kafka-home")
        })?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            return Err(format!("Maven could not bring Kafka: {}", String::from_utf8_lossy(&said).trim()));
        }
        File::create(complete).map_err(cannot)?;
        Ok(libs)
    }

    /// Formats `folder` and sets a broker up on it, on ports that are free.
    ///
    /// # Errors
    /// A sentence with what to install, or Kafka's own words.
    pub fn prepare(libs: &Path, folder: &Path, log: &Path, bound_to: Option<usize>) -> Result<Self, String> {
        let cannot = |e: io::Error| format!("cannot set up Kafka: {e}");
        let (port, controller) = free_ports().map_err(cannot)?;
        let properties = properties(folder, port, controller);
        let config = folder.join("server.properties");
        fs::write(&config, &properties).map_err(cannot)?;
        let version =
            Command::new("java").arg("-version").stdin(Stdio::null()).output().map_err(install_java)?;
        let java = String::from_utf8_lossy(&version.stderr).lines().next().unwrap_or_default().to_owned();
        let launch = Self {
            libs: libs.to_path_buf(),
            config,
            log: log.to_path_buf(),
            address: format!("127.0.0.1:{port}"),
            java,
            properties,
            bound_to,
        };
        let mut format = launch.java(JVM_OPTIONS);
        format.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"]);
        let formatted = format.arg(&launch.config).output().map_err(install_java)?;
        if !formatted.status.success() {
            let said = [formatted.stdout, formatted.stderr].concat();
            return Err(format!(
                "Kafka could not format its folder: {}",
                String::from_utf8_lossy(&said).trim()
            ));
        }
        Ok(launch)
    }

    /// A JVM with Kafka's classes.
    fn java(&self, options: &[&str]) -> Command {
        java(&self.libs, options)
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// A sentence with where its log is.
    pub fn start(&self) -> Result<Kafka, String> {
        let cannot = |e: io::Error| format!("cannot start Kafka: {e}");
        let output = File::options().create(true).append(true).open(&self.log).map_err(cannot)?;
        let mut serve = self.java(JVM_OPTIONS);
        serve.arg("kafka.Kafka").arg(&self.config);
        serve.stdout(output.try_clone().map_err(cannot)?).stderr(output);
        sys::bind_to_parent(&mut serve);
        if let Some(core) = self.bound_to {
            sys::bind_to_core(&mut serve, core);
        }
        let mut kafka = Kafka { child: serve.spawn().map_err(install_java)? };
        if let Err(why) = kafka.wait(&self.address, &self.log) {
            // It has nothing to lose that anybody waits for.
            let _ = kafka.child.kill();
            return Err(why);
        }
        Ok(kafka)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it is and how it is set, for the results.
    pub fn describe(&self) -> Value {
        json!({
            "name": "Apache Kafka",
            "version": VERSION,
            "java": self.java,
            "jvm_options": JVM_OPTIONS.join(" "),
            "settings": self.properties,
        })
    }
}

/// A JVM with `options` and the classes in `libs`.
pub fn java(libs: &Path, options: &[&str]) -> Command {
    let mut java = Command::new("java");
    java.args(options).arg("-cp").arg(libs.join("*")).stdin(Stdio::null());
    java
}

/// What to do where there is no Java.
pub fn install_java(e: io::Error) -> String {
    format!(
        "Java 17 or later is needed for Kafka ({e}): install it (Debian: apt-get install default-jre-headless)"
    )
}

/// One KRaft broker at its defaults, but for where it is, and how soon a deleted topic gives its room back.
fn properties(folder: &Path, port: u16, controller: u16) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         log.segment.delete.delay.ms=1000\n",
        folder.join("log").display()
    )
}

impl Kafka {
    fn wait(&mut self, address: &str, log: &Path) -> Result<(), String> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| format!("Kafka is out of reach: {e}"))? {
                return Err(format!("Kafka ended before it was ready ({status}): see {}", log.display()));
            }
            match Admin::connect(address) {
                Ok(_) => return Ok(()),
                Err(why) if Instant::now() > deadline => return Err(format!("{why}; see {}", log.display())),
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// A sentence, where it had ended by itself before.
    pub fn kill(mut self) -> Result<(), String> {
        let pid = self.child.id();
        let problem = |e: io::Error| format!("cannot kill Kafka (pid {pid}): {e}");
        if let Some(status) = self.child.try_wait().map_err(problem)? {
            return Err(format!(
                "Kafka had ended by itself before it was to be killed ({status}): see its log"
            ));
        }
        self.child.kill().map_err(problem)?;
        self.child.wait().map(drop).map_err(problem)
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// A sentence, where it had to be killed.
    pub fn stop(mut self) -> Result<(), String> {
        self.end()
    }

    fn end(&mut self) -> Result<(), String> {
        let pid = self.child.id();
        let problem = |e: io::Error| format!("cannot stop Kafka (pid {pid}): {e}");
        match sys::end(&mut self.child, STOP_PATIENCE).map_err(problem)? {
            Some(_) => Ok(()),
            None => Err(format!(
                "Kafka did not stop within {} s of SIGTERM and was killed",
                STOP_PATIENCE.as_secs()
            )),
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Whether it has yet to remove files of deleted topics from its `folder`: a second after it was asked, by its settings
/// above, but never in its first half minute (LogManager.InitialTaskDelayMs). Until then their folders are called so
/// (UnifiedLog.DeleteDirSuffix).
pub fn has_to_delete(folder: &Path) -> bool {
    const DELETED: &str = "-delete";
    let deleted = |name: OsString| name.to_string_lossy().ends_with(DELETED);
    fs::read_dir(folder.join("log"))
        .is_ok_and(|entries| entries.flatten().any(|entry| deleted(entry.file_name())))
}

fn default_cache() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    Ok(cache.ok_or("there is no home folder to keep Kafka in: give --cache DIR")?.join("tora-load"))
}

/// Two ports that nobody listens on just now.
fn free_ports() -> io::Result<(u16, u16)> {
    let (first, second) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}
