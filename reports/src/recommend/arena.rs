//! Where engines met on equal terms, and which of these places a ranking rests on.

use super::Question;
use crate::claims::split;
use crate::compare::evidence::Tested;
use crate::comparison::Contestant;
use bench_record::{Family, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// What has to be alike before times of several families are one engine's on one machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ground {
    pub(super) machine: String,
    pub(super) protocol: Protocol,
    pub(super) cluster: String,
    pub(super) nodes: u32,
    pub(super) slots: u32,
    pub(super) limits: String,
}

/// Contestants that met on one ground over one family, in one table.
#[derive(Clone)]
pub(super) struct Arena<'t, 'a> {
    pub(super) family: String,
    /// Its share of the mix.
    pub(super) share: f64,
    pub(super) table: &'t Tested<'a>,
    /// Indexes of those who met.
    pub(super) members: Vec<usize>,
    /// All workloads that any of them was asked.
    pub(super) workloads: BTreeSet<&'a str>,
    pub(super) ground: Ground,
}

impl Arena<'_, '_> {
    /// What a contestant is called across arenas: its engine, and its switches if they are not the default.
    pub(super) fn name(&self, member: usize) -> String {
        self.contestant(member).map(name).unwrap_or_default()
    }

    pub(super) fn contestant(&self, member: usize) -> Option<&Contestant> {
        self.table.contestants.get(member)
    }

    /// The only member of that name; else how many there are.
    pub(super) fn only(&self, wanted: &str) -> Result<usize, usize> {
        let named: Vec<usize> = self.members.iter().copied().filter(|m| self.name(*m) == wanted).collect();
        match named.as_slice() {
            [one] => Ok(*one),
            others => Err(others.len()),
        }
    }

    /// Suite, protocol, cluster and machine in words.
    pub(super) fn place(&self) -> String {
        let Ground { cluster, nodes, slots, limits, .. } = &self.ground;
        let nodes = if *nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
        let limits = if limits.is_empty() { String::new() } else { format!(", {limits}") };
        let Tested { suite, protocol, machine, .. } = self.table;
        format!("{suite}, {protocol}, {cluster}, {nodes} x {slots} slots{limits}; {machine}")
    }

    /// Whether it is the same table and ground.
    fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.table, other.table) && self.family == other.family && self.ground == other.ground
    }
}

/// The engine, and its switches if they are not the default.
fn name(c: &Contestant) -> String {
    let (switches, _) = split(&c.variant);
    if switches == bench_record::Case::DEFAULT_VARIANT { c.engine.clone() } else { format!("{}+{switches}", c.engine) }
}

/// What a ranking rests on, and what else there was.
pub(super) struct Choice<'t, 'a> {
    /// One arena for each family that any run has.
    pub(super) arenas: Vec<Arena<'t, 'a>>,
    /// What is as near to the question as that and could stand in its place: whoever wins has to win there too.
    pub(super) equals: Vec<Vec<Arena<'t, 'a>>>,
    /// Everything else, with why it counts for nothing.
    pub(super) unused: Vec<(Arena<'t, 'a>, String)>,
}

/// How well an arena fits, best first: somebody to be compared with, nearness, how many met, the later runs.
type Fit<'t> = (bool, f64, usize, &'t str);

fn fit<'t>(question: &Question<'_>, arena: &Arena<'t, '_>) -> Fit<'t> {
    (arena.members.len() < 2, distance(question, arena), arena.members.len(), &arena.table.started_at)
}

fn compare(a: &Fit<'_>, b: &Fit<'_>) -> std::cmp::Ordering {
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2)).then(b.3.cmp(a.3))
}

fn is_as_near(a: &Fit<'_>, b: &Fit<'_>) -> bool {
    a.0 == b.0 && (a.1 - b.1).abs() < 1e-9
}

/// Everything that was measured of the mix, by ground.
struct Measured<'q, 't, 'a> {
    question: &'q Question<'q>,
    all: Vec<Arena<'t, 'a>>,
}

/// How much of the mix a ground has, and how near: more is better but for the second.
#[derive(Clone, Copy)]
struct Reach<'t> {
    compared: usize,
    measured: usize,
    far: f64,
    met: usize,
    last: &'t str,
}

impl Reach<'_> {
    /// Best first.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let covers = (other.compared, other.measured).cmp(&(self.compared, self.measured));
        let near = self.far.total_cmp(&other.far);
        covers.then(near).then(other.met.cmp(&self.met)).then(other.last.cmp(self.last))
    }

    fn is_equal(&self, other: &Self) -> bool {
        (self.compared, self.measured) == (other.compared, other.measured) && (self.far - other.far).abs() < 1e-9
    }
}

impl<'t, 'a> Measured<'_, 't, 'a> {
    /// The arena of a family that fits best, on one ground or on any.
    fn best(&self, family: &str, ground: Option<&Ground>) -> Option<&Arena<'t, 'a>> {
        let of = self.all.iter().filter(|a| a.family == family && ground.is_none_or(|g| *g == a.ground));
        of.min_by(|a, b| compare(&fit(self.question, a), &fit(self.question, b)))
    }

    /// What a ground has of the mix.
    fn on(&self, ground: &Ground) -> Vec<&Arena<'t, 'a>> {
        self.question.mix.shares().filter_map(|(family, _)| self.best(family, Some(ground))).collect()
    }

    fn reach(&self, arenas: &[&Arena<'t, 'a>]) -> Reach<'t> {
        let fits: Vec<Fit<'t>> = arenas.iter().map(|a| fit(self.question, a)).collect();
        Reach {
            compared: fits.iter().filter(|f| !f.0).count(),
            measured: fits.len(),
            far: fits.iter().map(|f| f.1).sum(),
            met: fits.iter().map(|f| f.2).sum(),
            last: fits.iter().map(|f| f.3).max().unwrap_or_default(),
        }
    }

    /// A ground's own arenas, and from elsewhere what it lacks.
    fn filled(&self, own: &[&Arena<'t, 'a>]) -> Vec<Arena<'t, 'a>> {
        let of = |family: &str| own.iter().copied().find(|a| a.family == family).or_else(|| self.best(family, None));
        self.question.mix.shares().filter_map(|(family, _)| of(family).cloned()).collect()
    }
}

/// The ground on which most of the mix was measured, of equal ones the nearest to the question, then the one where most
/// met, then the one measured last; what that leaves out is taken from the nearest runs elsewhere. The order in which
/// folders are given decides nothing.
pub(super) fn choose<'t, 'a>(question: &Question<'_>, tables: &'t [Tested<'a>]) -> Choice<'t, 'a> {
    let all = question.mix.shares().flat_map(|(f, share)| tables.iter().flat_map(move |t| arenas(t, f, share)));
    let measured = Measured { question, all: all.collect() };
    let grounds: BTreeSet<&Ground> = measured.all.iter().map(|a| &a.ground).collect();
    let mut ranked: Vec<Vec<&Arena<'t, 'a>>> = grounds.into_iter().map(|g| measured.on(g)).collect();
    ranked.sort_by(|a, b| measured.reach(a).compare(&measured.reach(b)));
    let Some((first, others)) = ranked.split_first() else {
        return Choice { arenas: Vec::new(), equals: Vec::new(), unused: Vec::new() };
    };
    let chosen = measured.filled(first);
    let reach = measured.reach(first);
    let equals =
        others.iter().filter(|own| reach.is_equal(&measured.reach(own))).map(|own| measured.filled(own)).collect();
    beside(question, &measured.all, Choice { arenas: chosen, equals, unused: Vec::new() })
}

/// Adds every arena that was not chosen: as one that could stand in its family's place, or as one that counts for nothing.
fn beside<'t, 'a>(question: &Question<'_>, all: &[Arena<'t, 'a>], mut choice: Choice<'t, 'a>) -> Choice<'t, 'a> {
    for arena in all {
        let Some(at) = choice.arenas.iter().position(|c| c.family == arena.family) else { continue };
        let Some(taken) = choice.arenas.get(at).filter(|taken| !taken.is(arena)) else { continue };
        if choice.equals.iter().flatten().any(|e| e.is(arena)) {
            continue;
        }
        if is_as_near(&fit(question, arena), &fit(question, taken)) {
            let mut other = choice.arenas.clone();
            other.get_mut(at).into_iter().for_each(|slot| *slot = arena.clone());
            choice.equals.push(other);
        } else {
            choice.unused.push((arena.clone(), why_not(question, arena, taken)));
        }
    }
    choice
}

fn why_not(question: &Question<'_>, arena: &Arena<'_, '_>, taken: &Arena<'_, '_>) -> String {
    let (ours, theirs) = (fit(question, arena), fit(question, taken));
    if ours.0 && !theirs.0 {
        "nobody to be compared with".to_owned()
    } else if ours.1 > theirs.1 {
        "farther from the question".to_owned()
    } else {
        "on another ground than the rest of the mix".to_owned()
    }
}

fn arenas<'t, 'a>(table: &'t Tested<'a>, family: &str, share: f64) -> Vec<Arena<'t, 'a>> {
    let mut places: BTreeMap<Ground, Vec<usize>> = BTreeMap::new();
    for (i, c) in table.contestants.iter().enumerate().filter(|(_, c)| c.is_compared()) {
        if table.cases.iter().any(|case| case.contestant == i && case.family.name() == family) {
            let ground = Ground {
                machine: table.machine_key.clone(),
                protocol: table.protocol,
                cluster: c.cluster.clone(),
                nodes: c.nodes,
                slots: c.slots,
                limits: split(&c.variant).1,
            };
            places.entry(ground).or_default().push(i);
        }
    }
    let made = places.into_iter().map(|(ground, members)| {
        let asked = table.cases.iter().filter(|c| c.family.name() == family && members.contains(&c.contestant));
        let workloads = asked.map(|c| c.workload).collect();
        Arena { family: family.to_owned(), share, table, workloads, members, ground }
    });
    made.collect()
}

/// What arenas that were put together differ in: such times are not one engine's on one machine. None where they do not.
pub(super) fn mixture(arenas: &[Arena<'_, '_>]) -> Option<String> {
    let (first, rest) = arenas.split_first()?;
    let mut found = BTreeSet::new();
    let mut add = |differs: bool, what: &str| {
        if differs {
            found.insert(what.to_owned());
        }
    };
    for Arena { ground, .. } in rest {
        let known = &first.ground;
        add(ground.machine != known.machine, "machines");
        add(ground.protocol != known.protocol, "protocols");
        add((&ground.cluster, ground.nodes) != (&known.cluster, known.nodes), "clusters");
        add(ground.slots != known.slots, "slots");
        add(ground.limits != known.limits, "limits");
    }
    let mut known: BTreeMap<String, (Option<&str>, &str)> = BTreeMap::new();
    for arena in arenas {
        for c in arena.members.iter().filter_map(|m| arena.contestant(*m)) {
            let own = (c.version.as_deref(), c.build_id.as_str());
            add(*known.entry(name(c)).or_insert(own) != own, &format!("versions or builds of {}", c.engine));
        }
    }
    let families: Vec<&str> = arenas.iter().map(|a| a.family.as_str()).collect();
    let what: Vec<String> = found.into_iter().collect();
    (!what.is_empty()).then(|| format!("{} were measured on different {}", families.join(" and "), what.join(", ")))
}

/// What the tables of an arena hold.
pub(super) struct Data<'t> {
    /// The set.
    pub(super) name: &'t str,
    /// Bytes of the text that it stands for, or as it is stored.
    pub(super) bytes: u64,
    /// Whether that is text.
    pub(super) is_text: bool,
}

/// The largest table set of its family's kind, in bytes of text where that is known: what suites and people count. None of
/// zero-work graphs, which read nothing.
pub(super) fn data<'t>(question: &Question<'_>, arena: &Arena<'t, '_>) -> Option<Data<'t>> {
    let kind = match arena.family.as_str() {
        f if f == Family::Overhead.name() => return None,
        f if f == Family::Sql.name() => "tpch",
        f if f == Family::Dataframe.name() => "groupby",
        _ => "",
    };
    let all = || arena.table.datasets.iter();
    let is_of_kind = |name: &str| !kind.is_empty() && name.starts_with(kind);
    let has_kind = all().any(|(name, _)| is_of_kind(name));
    let sized = all().filter(|(name, _)| !has_kind || is_of_kind(name)).map(|(name, stored)| {
        let text = question.text_bytes.and_then(|text| text(name));
        Data { name, bytes: text.unwrap_or(*stored), is_text: text.is_some() }
    });
    sized.max_by_key(|d| d.bytes)
}

/// How far an arena is from what was stated, as the sum of the logarithms of both factors.
pub(super) fn distance(question: &Question<'_>, arena: &Arena<'_, '_>) -> f64 {
    let factor = |a: f64, b: f64| (a.max(1.0) / b.max(1.0)).ln().abs();
    let nodes = question.nodes.map_or(0.0, |n| factor(n.into(), arena.ground.nodes.into()));
    let stated = question.data_bytes.zip(data(question, arena));
    nodes + stated.map_or(0.0, |(stated, data)| factor(stated as f64, data.bytes as f64))
}
