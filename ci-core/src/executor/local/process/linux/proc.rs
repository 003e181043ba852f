//! Reading `/proc`: see proc(5).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;

use super::marker::{self, Signs};
use super::table::{Pid, Process, Table};

/// No environment is read further than this: the kernel allows a third of the stack's limit, and
/// markers come first in what the engine passes on.
const ENVIRON: u64 = 8 * 1024 * 1024;

/// The number of this process.
pub(super) fn own() -> Pid {
    rustix::process::getpid().as_raw_pid()
}

/// Every process that can be seen, each marked if it carries what is `wanted`.
pub(super) fn table(wanted: Option<&Signs>) -> std::io::Result<Table> {
    let entries = fs::read_dir("/proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter_map(|pid| {
            let mut process = stat(pid)?;
            process.marked = !process.dead && wanted.is_some_and(|wanted| carries(pid, wanted));
            Some(process)
        })
        .collect())
}

/// What `/proc/<pid>/stat` says; nothing if there is no such process.
pub(super) fn stat(pid: Pid) -> Option<Process> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Whether `pid` carries what is `wanted`. Other users' processes do not show their environment.
pub(super) fn carries(pid: Pid, wanted: &Signs) -> bool {
    let mut environ = Vec::new();
    File::open(format!("/proc/{pid}/environ"))
        .and_then(|file| file.take(ENVIRON).read_to_end(&mut environ))
        .is_ok_and(|_| marker::carries(&environ, &wanted.marker))
        || wanted.mark.is_on(pid)
}

/// The children of the main thread: those that it started, and all that were orphaned to this
/// process. Nothing if the kernel does not say.
pub(super) fn children() -> Option<Vec<Pid>> {
    children_of(own())
}

/// The children of the main thread of `pid`. Nothing if the kernel does not say.
pub(super) fn children_of(pid: Pid) -> Option<Vec<Pid>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Some(numbers(&text).collect())
}

/// The name of a program, for people.
pub(super) fn name(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}

/// The process numbers in a file that the kernel lists them in.
pub(super) fn listed(path: &std::path::Path) -> BTreeSet<Pid> {
    fs::read_to_string(path)
        .map(|text| numbers(&text).collect())
        .unwrap_or_default()
}

fn numbers(text: &str) -> impl Iterator<Item = Pid> {
    text.split_ascii_whitespace()
        .filter_map(|word| word.parse().ok())
}

fn parse_stat(text: &str) -> Option<Process> {
    // The name stands in parentheses and may itself hold parentheses and spaces.
    let (pid, rest) = text.split_once(' ')?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    // A process whose first thread ended but not its others is shown as dead, and is not.
    let threads: Pid = number(17)?;
    Some(Process {
        pid: pid.parse().ok()?,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start: fields.get(19)?.parse().ok()?,
        dead: matches!(fields.first(), Some(&("Z" | "X"))) && threads <= 1,
        marked: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_mislead() {
        let text = "18240 (a) (b c) R 18238 18237 12606 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 1 0 \
                    512737 3133440 388";
        let process = parse_stat(text).unwrap();
        assert_eq!(
            (process.pid, process.parent, process.group, process.session),
            (18240, 18238, 18237, 12606)
        );
        assert_eq!(process.start, 512_737);
        assert!(!process.dead);
        assert!(parse_stat(&text.replace(") R", ") Z")).unwrap().dead);
        let threads = text.replace(") R", ") Z").replace("20 0 1 0", "20 0 3 0");
        assert!(!parse_stat(&threads).unwrap().dead);
        for cut in 0..text.len() - 20 {
            let _ = parse_stat(&text[..cut]);
        }
    }

    #[test]
    fn this_process_is_seen() {
        let seen = stat(own()).unwrap();
        assert_eq!(seen.pid, own());
        assert!(!seen.dead);
        assert!(stat(0).is_none());
    }
}
