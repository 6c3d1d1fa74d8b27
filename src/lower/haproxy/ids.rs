//! Numbers as HAProxy gives them: custom ones stay, the others take the next free one, and every object moves
//! the counter on, whether it used it or not.

use std::collections::HashSet;

/// Numbers the objects; zero is "no custom id".
pub(super) fn number<'a>(ids: impl IntoIterator<Item = &'a mut u32>, first: u32) {
    let ids: Vec<&mut u32> = ids.into_iter().collect();
    let mut used: HashSet<u32> = ids.iter().map(|id| **id).filter(|id| *id != 0).collect();
    let mut next = first;
    for id in ids {
        if *id == 0 {
            while !used.insert(next) {
                next += 1;
            }
            *id = next;
        }
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn custom_numbers_stay_and_move_the_counter_on() {
        let mut servers = [0, 1, 7, 0];
        number(servers.iter_mut(), 1);
        assert_eq!(servers, [2, 1, 7, 5]);
        let mut proxies = [0, 0, 2, 0, 0];
        number(proxies.iter_mut(), 2);
        assert_eq!(proxies, [3, 4, 2, 6, 7]);
    }
}
