//! Which processors the threads run on: `cpu-map`, and the groups its lines count threads in.

use std::collections::BTreeSet;
use std::ops::Range;

/// Most threads of a group.
const PER_GROUP: usize = 64;

/// All that says where threads run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuMap {
    /// The `cpu-map` lines; of several for a thread the last counts.
    pub lines: Vec<CpuLine>,
    /// `thread-groups`; `None`: as few as can hold the threads.
    pub groups: Option<usize>,
    /// `thread-group`: a group and its threads, both counted from 0.
    pub members: Vec<(usize, Range<usize>)>,
    /// `nbproc`: lines of files that have it name processes. One of threads is in their place.
    pub processes: Option<u32>,
}

/// A `cpu-map` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuLine {
    /// Groups it is for, the lowest bit for the first.
    pub groups: u64,
    /// Threads of each of them it is for.
    pub threads: u64,
    /// The processors.
    pub cpus: BTreeSet<u32>,
    /// `auto:`, the first thread gets the first processor alone, and so on.
    pub one_each: bool,
}

impl CpuLine {
    /// What it gives thread `thread` of group `group`, if it names that.
    fn gives(&self, group: usize, thread: usize) -> Option<BTreeSet<u32>> {
        let bit = 1u64 << thread;
        if self.groups >> group & 1 == 0 || self.threads & bit == 0 {
            return None;
        }
        if !self.one_each {
            return Some(self.cpus.clone());
        }
        let before = (self.threads & (bit - 1)).count_ones() as usize;
        Some(self.cpus.iter().skip(before).take(1).copied().collect())
    }
}

impl CpuMap {
    /// The processors of each of `threads` threads; none: it runs where the system puts it.
    #[must_use]
    pub fn of(&self, threads: usize) -> Vec<BTreeSet<u32>> {
        if let Some(processes) = self.processes.filter(|processes| *processes > 1) {
            return vec![self.of_processes(processes); threads];
        }
        let cpus = |(group, thread)| self.lines.iter().rev().find_map(|line| line.gives(group, thread));
        self.places(threads).into_iter().map(|place| place.and_then(cpus).unwrap_or_default()).collect()
    }

    /// The processors of all of `threads` threads together; none: some thread runs where the system puts it.
    #[must_use]
    pub fn together(&self, threads: usize) -> BTreeSet<u32> {
        let each = self.of(threads);
        if each.iter().any(BTreeSet::is_empty) {
            return BTreeSet::new();
        }
        each.into_iter().flatten().collect()
    }

    /// Those that the first `processes` processes had between them.
    fn of_processes(&self, processes: u32) -> BTreeSet<u32> {
        let there = u64::MAX.checked_shr(64_u32.saturating_sub(processes)).unwrap_or(u64::MAX);
        let lines = self.lines.iter().filter(|line| line.groups & there != 0);
        lines.flat_map(|line| &line.cpus).copied().collect()
    }

    /// The group of each thread, and its number there. Groups without `thread-group` share the threads left to them
    /// as evenly as they can, each its own in a row.
    fn places(&self, threads: usize) -> Vec<Option<(usize, usize)>> {
        let mut places = vec![None; threads];
        for (group, members) in &self.members {
            for (within, thread) in members.clone().enumerate().take(PER_GROUP) {
                if let Some(place) = places.get_mut(thread) {
                    *place = Some((*group, within));
                }
            }
        }
        let groups = self.groups.unwrap_or_else(|| threads.div_ceil(PER_GROUP));
        let open: Vec<usize> =
            (0..groups).filter(|group| self.members.iter().all(|(named, _)| named != group)).collect();
        for (done, group) in open.iter().enumerate() {
            let free = places.iter().filter(|place| place.is_none()).count();
            let share = free.div_ceil(open.len() - done).min(PER_GROUP);
            let row =
                places.iter_mut().skip_while(|place| place.is_some()).take_while(|place| place.is_none());
            for (within, place) in row.take(share).enumerate() {
                *place = Some((*group, within));
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(groups: u64, threads: u64, cpus: &[u32], one_each: bool) -> CpuLine {
        CpuLine { groups, threads, cpus: cpus.iter().copied().collect(), one_each }
    }

    fn lines(lines: &[CpuLine]) -> CpuMap {
        CpuMap { lines: lines.to_vec(), ..CpuMap::default() }
    }

    fn shown(sets: &[BTreeSet<u32>]) -> Vec<Vec<u32>> {
        sets.iter().map(|set| set.iter().copied().collect()).collect()
    }

    #[test]
    fn the_last_line_for_a_thread_counts() {
        let all = line(1, u64::MAX, &[2, 3], false);
        let third = line(1, 0b100, &[0], false);
        let both = lines(&[all.clone(), third.clone()]);
        assert_eq!(shown(&both.of(4)), [vec![2, 3], vec![2, 3], vec![0], vec![2, 3]]);
        assert_eq!(shown(&lines(&[third.clone(), all]).of(3)), [[2, 3], [2, 3], [2, 3]]);
        assert_eq!(both.together(4), BTreeSet::from([0, 2, 3]));
        // Where one is free, nothing keeps the rest of the program from its processor.
        assert_eq!(shown(&lines(std::slice::from_ref(&third)).of(3)), [vec![], vec![], vec![0]]);
        assert!(lines(&[third]).together(3).is_empty());
    }

    #[test]
    fn auto_gives_the_lowest_processor_to_the_lowest_thread() {
        assert_eq!(shown(&lines(&[line(1, 0b11, &[5, 4], true)]).of(2)), [[4], [5]]);
        let even = lines(&[line(1, 0b1010, &[7, 9], true)]);
        assert_eq!(shown(&even.of(4)), [vec![], vec![7], vec![], vec![9]]);
        // As many groups as processors: threads count on in each of them, as long as processors last.
        assert_eq!(shown(&lines(&[line(0b11, u64::MAX, &[0, 1], true)]).of(3)), [vec![0], vec![1], vec![]]);
    }

    #[test]
    fn threads_count_within_their_group() {
        let of = |groups, members: &[(usize, Range<usize>)], threads| {
            let map = CpuMap { groups: Some(groups), members: members.to_vec(), ..CpuMap::default() };
            map.places(threads).into_iter().map(|place| place.unwrap_or((9, 9))).collect::<Vec<_>>()
        };
        assert_eq!(of(1, &[], 2), [(0, 0), (0, 1)]);
        assert_eq!(of(2, &[], 4), [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(of(2, &[], 3), [(0, 0), (0, 1), (1, 0)]);
        assert_eq!(of(2, &[(0, 0..1), (1, 1..4)], 4), [(0, 0), (1, 0), (1, 1), (1, 2)]);
        assert_eq!(of(2, &[(0, 2..4)], 4), [(1, 0), (1, 1), (0, 0), (0, 1)]);
        // In two pieces they are no group.
        assert_eq!(of(2, &[(0, 1..2)], 3), [(1, 0), (0, 0), (9, 9)]);
        assert_eq!(CpuMap::default().places(65)[64], Some((1, 31)));
        let second = CpuMap { groups: Some(2), ..lines(&[line(0b10, u64::MAX, &[1], false)]) };
        assert_eq!(shown(&second.of(4)), [vec![], vec![], vec![1], vec![1]]);
    }

    #[test]
    fn one_process_runs_where_several_did() {
        let each = lines(&[line(1, u64::MAX, &[0], false), line(2, u64::MAX, &[1], false)]);
        let of = |processes| shown(&CpuMap { processes: Some(processes), ..each.clone() }.of(2));
        assert_eq!(of(2), [[0, 1], [0, 1]]);
        assert_eq!(of(64), [[0, 1], [0, 1]]);
        assert_eq!(of(1), [[0], [0]], "one process is all there is");
        let absent = lines(&[line(1, u64::MAX, &[0], false), line(4, u64::MAX, &[1], false)]);
        assert_eq!(shown(&CpuMap { processes: Some(2), ..absent }.of(1)), [[0]]);
    }
}
