//! Processes of Terraform's: finding its provider, sending signals, waiting for an end.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The provider that this Terraform has started and that acts for it. Terraform starts one for schemas and validation as
/// well, which has ended when the next one is started.
pub fn provider_of(terraform: u32) -> Option<u32> {
    fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&process| {
            stat(process).is_some_and(|(state, parent)| parent == terraform && state != 'Z') && is_provider(process)
        })
        .max()
}

/// Ends a process without a chance to clean up. `Ok` too if it is gone.
pub fn kill(process: u32) -> io::Result<()> {
    send(process, |pid| kill_process(pid, Signal::KILL))
}

/// Ends a whole process group without a chance to clean up.
pub fn kill_group(leader: u32) -> io::Result<()> {
    send(leader, |pid| kill_process_group(pid, Signal::KILL))
}

/// Interrupts a whole process group, as a terminal does on Ctrl-C.
pub fn interrupt_group(leader: u32) -> io::Result<()> {
    send(leader, |pid| kill_process_group(pid, Signal::INT))
}

/// Waits until a process has ended, and returns how long that took; `None` if it still runs after `limit`.
pub async fn gone(process: u32, limit: Duration) -> Option<Duration> {
    let started = Instant::now();
    while stat(process).is_some_and(|(state, _)| state != 'Z') {
        if started.elapsed() > limit {
            return None;
        }
        // Not our child, so nobody tells us.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Some(started.elapsed())
}

fn send(process: u32, signal: impl FnOnce(Pid) -> rustix::io::Result<()>) -> io::Result<()> {
    let pid = i32::try_from(process)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("no such process id: {process}")))?;
    match signal(pid) {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

fn is_provider(process: u32) -> bool {
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| {
        line.split(|&byte| byte == 0)
            .next()
            .is_some_and(|program| String::from_utf8_lossy(program).contains("terraform-provider-inferadb"))
    })
}

/// State and parent, from `/proc/PID/stat`: `PID (name) STATE PARENT …`, where the name may hold anything.
fn stat(process: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
