//! A file system of its own, small enough to be filled: ext4 in a file, mounted where only the server sees it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::process::skipped;
use crate::support::{Folder, tora_serve_by};

/// Its size, of which the file system takes some.
const BYTES: u64 = 96 << 20;

/// Files that take its space, put where a data folder may hold what is not Tora's.
const BALLAST: &str = "lost+found/ballast";
const CRUMBS: &str = "lost+found/crumbs";

/// The mount. It lives in a mount namespace, which lives in a process, and goes with it.
pub struct SmallDisk {
    holder: Child,
    mounted_at: PathBuf,
}

impl SmallDisk {
    /// Makes one and mounts it as the data folder in `folder`. `None`, with a word on standard error, where that cannot be
    /// done: it takes root, and loop devices.
    pub fn mount(folder: &Folder) -> Option<Self> {
        let image = folder.join("image");
        let file = fs::File::create(&image).and_then(|file| file.set_len(BYTES));
        file.expect("the folder is writable");
        let mounted_at = folder.join("data");
        fs::create_dir_all(&mounted_at).expect("the folder is writable");
        // Nothing is reserved for root, who may be running this; `cat` ends with this process, and the mount with it.
        let script =
            "mkfs.ext4 -q -F -b 4096 -m 0 \"$1\" && mount -o loop \"$1\" \"$2\" && echo mounted && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).args([&image, &mounted_at]);
        let holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut holder = holder.inspect_err(|error| skip(&error.to_string())).ok()?;
        let mut line = String::new();
        let out = holder.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("its output is text");
        if line != "mounted\n" {
            let errors = holder.stderr.take().expect("it is piped");
            skip(&std::io::read_to_string(errors).unwrap_or_default());
            let _ = holder.wait();
            return None;
        }
        Some(Self { holder, mounted_at })
    }

    /// What starts a server on it.
    pub fn serve(&self, folder: &Folder) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--mount", "--target", &self.holder.id().to_string()]);
        tora_serve_by(nsenter, folder)
    }

    /// Fills what is free but for so many bytes.
    pub fn fill_but(&self, bytes: u64) {
        let free = self.free();
        let size = free.checked_sub(bytes).unwrap_or_else(|| panic!("only {free} bytes are free"));
        let status = Command::new("fallocate")
            .args(["-l", &size.to_string()])
            .arg(self.inside().join(BALLAST))
            .status();
        assert!(status.expect("there is fallocate(1)").success());
    }

    /// Fills the last block.
    pub fn fill_up(&self) {
        // What was removed a moment ago is free only once the file system has committed that.
        let status = Command::new("sync").arg("--file-system").arg(self.inside()).status();
        assert!(status.is_ok_and(|status| status.success()), "the disk can be synced");
        let mut crumbs = fs::File::create(self.inside().join(CRUMBS)).expect("a file more");
        while crumbs.write_all(&[0; 4096]).and_then(|()| crumbs.sync_data()).is_ok() {}
    }

    /// Gives back the last blocks.
    pub fn sweep_up(&self) {
        fs::remove_file(self.inside().join(CRUMBS)).expect("it was filled up");
    }

    /// Gives back what was filled first.
    pub fn make_room(&self) {
        fs::remove_file(self.inside().join(BALLAST)).expect("it was filled");
    }

    /// Bytes of a file of the data folder.
    pub fn size(&self, name: &str) -> u64 {
        fs::metadata(self.inside().join(name)).expect("it is there").len()
    }

    /// Bytes that are free.
    fn free(&self) -> u64 {
        let output = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(self.inside()).output();
        let text = String::from_utf8(output.expect("there is stat(1)").stdout).expect("numbers");
        text.split_whitespace().map(|number| number.parse::<u64>().expect("a number")).product()
    }

    /// The mount as seen from outside.
    fn inside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mounted_at.strip_prefix("/").expect("an absolute path"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn skip(why: &str) {
    skipped("a full disk", &format!("no file system could be mounted: {}", why.trim()));
}
