//! What can be seen of this machine without any help: its processes and this process's memory.

use std::fs;

/// Whether [`runs`] sees anything here.
pub(super) const CAN_LOOK: bool = cfg!(target_os = "linux");

/// Whether a process runs here whose command line holds `words`, its arguments set apart by spaces.
/// Other processes that wait to be reaped have no command line any more and do not count.
pub(super) fn runs(words: &str) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    processes
        .filter_map(Result::ok)
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|line| {
            let line: Vec<u8> = line
                .into_iter()
                .map(|byte| if byte == 0 { b' ' } else { byte })
                .collect();
            String::from_utf8_lossy(&line).contains(words)
        })
}

/// The memory that this process has in use, in bytes; `None` where that is not known.
pub(super) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_words_and_only_while_it_runs() {
        let words = format!("sleep 98{:07}", std::process::id());
        assert!(!runs(&words));
        let mut child = std::process::Command::new("sleep")
            .arg(words.trim_start_matches("sleep "))
            .spawn()
            .unwrap();
        // A program that has only just begun has no command line yet.
        let began = std::time::Instant::now();
        while !runs(&words) {
            assert!(began.elapsed() < std::time::Duration::from_mins(1));
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!runs(&words));
    }

    #[test]
    fn memory_is_measured_in_bytes() {
        let (before, hoard) = (resident().unwrap(), vec![1_u8; 64 << 20]);
        let grown = resident().unwrap().saturating_sub(before);
        assert!(grown > 32 << 20, "{grown} after {} bytes", hoard.len());
    }
}
