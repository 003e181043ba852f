//! Spells out matrices and shards: one job for each combination and each shard.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{Group, Span};
use crate::job::{JobSpec, Matrix};

/// How many jobs may be made from one. A larger product is a slip, and would fill the memory before
/// anybody saw it.
pub(super) const LIMIT: usize = 65_536;

/// The jobs of a run, and which of them were made from one declared job.
pub(super) struct Expanded {
    pub(super) jobs: Arc<Vec<JobSpec>>,
    pub(super) groups: Vec<Group>,
}

/// Spells out `declared`. A job that has neither matrix nor shards stays as it is; where no job has
/// any, nothing is copied. A matrix that is empty or larger than [`LIMIT`] makes no job.
pub(super) fn expand(declared: &Arc<Vec<JobSpec>>) -> Expanded {
    if !declared.iter().any(repeats) {
        return Expanded {
            jobs: Arc::clone(declared),
            groups: Vec::new(),
        };
    }
    let mut jobs = Vec::with_capacity(declared.len());
    let mut groups = Vec::new();
    for job in declared.iter() {
        if !repeats(job) {
            jobs.push(job.clone());
            continue;
        }
        let start = jobs.len();
        spell_out(job, &mut jobs);
        let only_itself = matches!(&jobs[start..], [only] if only.name == job.name);
        if !only_itself {
            groups.push(Group {
                name: Arc::clone(&job.name),
                members: Span::new(start, jobs.len()),
            });
        }
    }
    Expanded {
        jobs: Arc::new(jobs),
        groups,
    }
}

fn repeats(job: &JobSpec) -> bool {
    job.options.matrix.is_some() || job.options.parallelism.is_some()
}

/// How many jobs are made from `job`; `None` where the number is past counting.
pub(super) fn count(job: &JobSpec) -> Option<usize> {
    let shards = job.options.parallelism.unwrap_or(1) as usize;
    let combinations = match &job.options.matrix {
        None => 1,
        Some(matrix) => product(matrix)?.checked_add(matrix.include.len())?,
    };
    combinations.checked_mul(shards)
}

fn product(matrix: &Matrix) -> Option<usize> {
    if matrix.dimensions.is_empty() {
        return Some(0);
    }
    matrix
        .dimensions
        .iter()
        .try_fold(1usize, |size, (_, values)| size.checked_mul(values.len()))
}

fn spell_out(job: &JobSpec, jobs: &mut Vec<JobSpec>) {
    if count(job).is_none_or(|count| count > LIMIT) {
        return;
    }
    let combinations = match &job.options.matrix {
        None => vec![Combination::default()],
        Some(matrix) => combinations(matrix),
    };
    for combination in &combinations {
        match job.options.parallelism {
            None => jobs.push(made_from(job, combination, None)),
            Some(total) => jobs
                .extend((0..total).map(|index| made_from(job, combination, Some((index, total))))),
        }
    }
}

/// The values of one job of a matrix, in the order in which its name shows them.
type Combination<'a> = Vec<(&'a str, &'a str)>;

/// Every combination that `matrix` asks for: the product of its dimensions, the last changing
/// fastest, without what it excludes; then what it includes.
pub(super) fn combinations(matrix: &Matrix) -> Vec<Combination<'_>> {
    let mut product: Vec<Combination<'_>> = Vec::new();
    if !matrix.dimensions.is_empty() {
        product.push(Vec::new());
    }
    for (name, values) in &matrix.dimensions {
        product = product
            .iter()
            .flat_map(|start| {
                values.iter().map(move |value| {
                    let mut longer = start.clone();
                    longer.push((name.as_str(), value.as_str()));
                    longer
                })
            })
            .collect();
    }
    product.retain(|combination| !matrix.exclude.iter().any(|out| covers(out, combination)));
    product.extend(
        matrix
            .include
            .iter()
            .map(|extra| in_order(&matrix.dimensions, extra)),
    );
    product
}

/// Whether `combination` has all the values of `excluded`.
fn covers(excluded: &BTreeMap<String, String>, combination: &Combination<'_>) -> bool {
    excluded
        .iter()
        .all(|(name, value)| combination.contains(&(name.as_str(), value.as_str())))
}

/// An included combination with its dimensions in the declared order, then what it adds.
fn in_order<'a>(
    dimensions: &[(String, Vec<String>)],
    extra: &'a BTreeMap<String, String>,
) -> Combination<'a> {
    let known = dimensions
        .iter()
        .filter_map(|(name, _)| extra.get_key_value(name));
    let new = extra
        .iter()
        .filter(|(name, _)| !dimensions.iter().any(|(known, _)| known == *name));
    known
        .chain(new)
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// `job (a, b) 1/4`, with the values and the place among the shards in its variables.
fn made_from(job: &JobSpec, values: &Combination<'_>, shard: Option<(u32, u32)>) -> JobSpec {
    let mut name = job.name.to_string();
    if !values.is_empty() {
        let shown: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
        name.push_str(" (");
        name.push_str(&shown.join(", "));
        name.push(')');
    }
    if let Some((index, total)) = shard.filter(|(_, total)| *total > 1) {
        name = format!("{name} {}/{total}", index + 1);
    }
    let mut made = job.clone().with(|options| {
        options.matrix = None;
        options.parallelism = None;
        for (name, value) in values {
            options.env.insert((*name).to_owned(), (*value).to_owned());
        }
        if let Some((index, total)) = shard {
            options
                .env
                .insert("CI_NODE_INDEX".into(), index.to_string());
            options
                .env
                .insert("CI_NODE_TOTAL".into(), total.to_string());
        }
    });
    made.name = name.into();
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::JobId;

    fn names(job: JobSpec) -> Vec<String> {
        let expanded = expand(&Arc::new(vec![job]));
        expanded
            .jobs
            .iter()
            .map(|job| job.name.to_string())
            .collect()
    }

    fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    }

    #[test]
    fn a_matrix_is_the_product_less_exclude_more_include() {
        let mut matrix = Matrix::new()
            .dimension("OS", ["linux", "mac"])
            .dimension("V", ["1", "2"]);
        matrix.exclude.push(pairs([("OS", "mac"), ("V", "1")]));
        matrix
            .include
            .push(pairs([("ARCH", "arm"), ("V", "3"), ("OS", "bsd")]));
        assert_eq!(
            names(JobSpec::new("t").matrix(matrix)),
            [
                "t (linux, 1)",
                "t (linux, 2)",
                "t (mac, 2)",
                "t (bsd, 3, arm)"
            ]
        );
    }

    #[test]
    fn shards_multiply_combinations_and_know_their_place() {
        let matrix = Matrix::new().dimension("OS", ["linux", "mac"]);
        let job = JobSpec::new("t")
            .env("OS", "none")
            .matrix(matrix)
            .parallelism(2);
        let expanded = expand(&Arc::new(vec![JobSpec::new("a"), job]));
        let last = &expanded.jobs[4];
        assert_eq!(&*last.name, "t (mac) 2/2");
        assert_eq!(
            last.options.env,
            pairs([
                ("OS", "mac"),
                ("CI_NODE_INDEX", "1"),
                ("CI_NODE_TOTAL", "2")
            ])
        );
        assert!(last.options.matrix.is_none() && last.options.parallelism.is_none());
        let members = expanded.groups[0].members.jobs().map(JobId::index);
        assert_eq!(members.collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn one_shard_keeps_the_name_and_has_the_variables() {
        let expanded = expand(&Arc::new(vec![JobSpec::new("t").parallelism(1)]));
        assert_eq!(&*expanded.jobs[0].name, "t");
        assert_eq!(expanded.jobs[0].options.env["CI_NODE_TOTAL"], "1");
        assert!(expanded.groups.is_empty());
    }

    #[test]
    fn plain_jobs_are_not_copied_and_monsters_make_nothing() {
        let plain = Arc::new(vec![JobSpec::new("a")]);
        assert!(Arc::ptr_eq(&expand(&plain).jobs, &plain));
        let mut monster = Matrix::new();
        for dimension in 0..30 {
            monster = monster.dimension(format!("D{dimension}"), ["a", "b", "c", "d", "e"]);
        }
        let job = JobSpec::new("m").matrix(monster);
        assert_eq!(count(&job), None);
        assert!(names(job).is_empty());
        assert!(names(JobSpec::new("n").parallelism(u32::MAX)).is_empty());
        assert!(names(JobSpec::new("o").matrix(Matrix::new())).is_empty());
    }
}
