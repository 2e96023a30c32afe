//! Who is linked to whom, in two flat arrays: one lookup and no allocation per key.

/// For each of a row of things, a few numbers.
#[derive(Debug, Default)]
pub(crate) struct Links {
    ends: Vec<u32>,
    items: Vec<u32>,
}

impl Links {
    /// Room for so many things.
    pub(crate) fn with_capacity(things: usize) -> Self {
        Self { ends: Vec::with_capacity(things), items: Vec::with_capacity(things) }
    }

    /// Adds a link of the thing that is being described.
    pub(crate) fn link(&mut self, to: u32) {
        self.items.push(to);
    }

    /// Ends the description of a thing.
    pub(crate) fn close(&mut self) {
        self.ends.push(self.items.len() as u32);
    }

    /// Where the links of a thing are in [`Links::at`].
    pub(crate) fn range(&self, of: u32) -> std::ops::Range<usize> {
        let start = if of == 0 { 0 } else { self.ends[of as usize - 1] as usize };
        start..self.ends[of as usize] as usize
    }

    /// One link.
    pub(crate) fn at(&self, index: usize) -> u32 {
        self.items[index]
    }

    /// The links of a thing.
    pub(crate) fn of(&self, of: u32) -> &[u32] {
        &self.items[self.range(of)]
    }

    pub(crate) fn of_mut(&mut self, of: u32) -> &mut [u32] {
        let range = self.range(of);
        &mut self.items[range]
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The same links, seen from the other end: for each of `things`, who links to it, in order.
    pub(crate) fn reversed(&self, things: usize) -> Self {
        let mut ends = vec![0u32; things];
        for to in &self.items {
            ends[*to as usize] += 1;
        }
        let mut start = 0;
        for end in &mut ends {
            // For now the end is where the next link goes.
            start += std::mem::replace(end, start);
        }
        let mut items = vec![0u32; self.items.len()];
        for from in 0..self.len() as u32 {
            for to in self.of(from) {
                let place = &mut ends[*to as usize];
                items[*place as usize] = from;
                *place += 1;
            }
        }
        Self { ends, items }
    }
}

impl Clone for Links {
    fn clone(&self) -> Self {
        Self { ends: self.ends.clone(), items: self.items.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversed_links_lead_back() {
        let mut links = Links::with_capacity(3);
        for row in [&[1u32, 2][..], &[], &[1]] {
            row.iter().for_each(|to| links.link(*to));
            links.close();
        }
        let back = links.reversed(3);
        assert_eq!([back.of(0), back.of(1), back.of(2)], [&[][..], &[0, 2], &[0]]);
        assert_eq!([links.of(0), links.of(1), links.of(2)], [&[1, 2][..], &[], &[1]]);
    }
}
