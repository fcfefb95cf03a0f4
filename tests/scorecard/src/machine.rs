//! A small machine: a control group, version 1 or 2, with little memory and a part of one core.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = "/sys/fs/cgroup";

/// Removed when dropped: what runs in it has to have ended.
pub struct Machine {
    folders: Vec<PathBuf>,
}

impl Machine {
    /// So much memory, and so many hundredths of one core.
    pub fn new(memory: usize, percent: usize) -> io::Result<Machine> {
        let name = format!("wshub-scorecard-{}", std::process::id());
        let mut machine = Machine {
            folders: Vec::new(),
        };
        let (memory, quota) = (memory.to_string(), percent * 1_000);
        if Path::new(ROOT).join("cgroup.controllers").exists() {
            fs::write(format!("{ROOT}/cgroup.subtree_control"), "+memory +cpu")?;
            let folder = machine.add(Path::new(ROOT).join(name))?;
            fs::write(folder.join("memory.max"), memory)?;
            fs::write(folder.join("cpu.max"), format!("{quota} 100000"))?;
        } else {
            let folder = machine.add(Path::new(ROOT).join("memory").join(&name))?;
            fs::write(folder.join("memory.limit_in_bytes"), memory)?;
            let folder = machine.add(Path::new(ROOT).join("cpu").join(&name))?;
            fs::write(folder.join("cpu.cfs_period_us"), "100000")?;
            fs::write(folder.join("cpu.cfs_quota_us"), quota.to_string())?;
        }
        Ok(machine)
    }

    fn add(&mut self, folder: PathBuf) -> io::Result<PathBuf> {
        // One that a killed run has left under the same number.
        let _ = fs::remove_dir(&folder);
        fs::create_dir(&folder)?;
        self.folders.push(folder.clone());
        Ok(folder)
    }

    /// A program that runs there, with so many descriptors.
    pub fn command(&self, program: &Path, descriptors: usize) -> Command {
        let enter: String = self
            .folders
            .iter()
            .map(|folder| format!("echo $$ >'{}/cgroup.procs' && ", folder.display()))
            .collect();
        let mut command = Command::new("sh");
        let script = format!("{enter}ulimit -n {descriptors} && exec \"$@\"");
        command.args(["-c", &script, "sh"]).arg(program);
        command.stdin(Stdio::piped());
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}
