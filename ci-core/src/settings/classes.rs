//! The resource classes that are built in.

/// Name, processor cores and GiB of memory of the resource classes that `CircleCI` documents for its
/// Docker executor on x86 (configuration reference, "Docker execution environment"). Classes of other
/// kinds of machine (`arm.…`, `windows.…`, `gpu.…`, self-hosted runners) say what the machine *is*;
/// what stands for it here is for the project to say, so they are not in the table.
const BUILT_IN: [(&str, u32, u32); 7] = [
    ("small", 1, 2),
    ("medium", 2, 4),
    ("medium+", 3, 6),
    ("large", 4, 8),
    ("xlarge", 8, 16),
    ("2xlarge", 16, 32),
    ("2xlarge+", 20, 40),
];

/// Processor time (in thousandths of a core) and memory (in MiB) of a class that is built in.
pub(super) fn built_in(class: &str) -> Option<(u32, u32)> {
    BUILT_IN
        .iter()
        .find(|(name, ..)| *name == class)
        .map(|(_, cores, gibibytes)| (cores * 1000, gibibytes * 1024))
}

/// The names of the classes that are built in, smallest first.
pub(super) fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, ..)| *name)
}
