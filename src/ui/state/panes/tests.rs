//! What holds for every arrangement in every place.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn id(number: usize) -> RunnerId {
    Uuid::from_u128(number as u128 + 1).into()
}

/// What can be done to a tree.
#[derive(Debug, Clone)]
enum Step {
    Split(usize, bool, usize),
    Close(usize),
    Swap(usize, usize),
    Turn(usize),
    Grow(usize, u8, u16),
    Balance,
}

fn step() -> impl Strategy<Value = Step> {
    let runner = 0..12_usize;
    prop_oneof![
        4 => (runner.clone(), any::<bool>(), runner.clone()).prop_map(|(at, a, n)| Step::Split(at, a, n)),
        1 => runner.clone().prop_map(Step::Close),
        1 => (runner.clone(), runner.clone()).prop_map(|(a, b)| Step::Swap(a, b)),
        1 => runner.clone().prop_map(Step::Turn),
        2 => (runner, 0..4_u8, 0..600_u16).prop_map(|(at, side, to)| Step::Grow(at, side, to)),
        1 => Just(Step::Balance),
    ]
}

fn side(number: u8) -> Side {
    [Side::Left, Side::Right, Side::Up, Side::Down][usize::from(number)]
}

fn grown(steps: &[Step], area: Area) -> Option<Tree> {
    let mut tree: Option<Tree> = None;
    for step in steps {
        let Some(mut now) = tree.take() else {
            tree = Some(Tree::Pane(id(0)));
            continue;
        };
        let before: BTreeSet<_> = now.runners().into_iter().collect();
        let mut expected = before.clone();
        match *step {
            Step::Split(at, beside, new) => {
                let axis = if beside { Axis::SideBySide } else { Axis::Stacked };
                now.split(Some(id(at)), axis, id(new));
                expected.insert(id(new));
            }
            Step::Close(at) => {
                expected.remove(&id(at));
                tree = now.without(id(at));
                let left = tree.as_ref().map(Tree::runners).unwrap_or_default();
                assert_eq!(left.into_iter().collect::<BTreeSet<_>>(), expected);
                continue;
            }
            Step::Swap(one, other) if before.contains(&id(one)) && before.contains(&id(other)) => {
                now.swap(id(one), id(other));
            }
            Step::Swap(..) => {}
            Step::Turn(at) => now.turn(id(at)),
            Step::Grow(at, towards, to) => {
                let places = Places::of(&now, area);
                if before.contains(&id(at))
                    && let Some(path) = now.divider_towards(id(at), side(towards))
                    && let Some(divider) = places.dividers.iter().find(|d| d.path == path)
                {
                    let (_, length) = divider.lengths();
                    now.set_divider(&path, to.min(length), length);
                }
            }
            Step::Balance => now.balance(),
        }
        let after = now.runners();
        assert_eq!(after.iter().copied().collect::<BTreeSet<_>>(), expected);
        assert_eq!(after.len(), expected.len(), "nobody has two panes");
        tree = Some(now);
    }
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn panes_and_dividers_cover_the_area_without_overlapping(
        steps in prop::collection::vec(step(), 1..24),
        (x, y, width, height) in (0..5_u16, 0..5_u16, 0..200_u16, 0..80_u16),
    ) {
        let area = Area { x, y, width, height };
        let Some(tree) = grown(&steps, area) else { return Ok(()) };
        let places = Places::of(&tree, area);
        prop_assert_eq!(places.panes.iter().map(|p| p.id).collect::<Vec<_>>(), tree.runners());
        let mut seen = vec![0_u8; usize::from(width) * usize::from(height)];
        let columns = places.dividers.iter().filter(|d| d.axis == Axis::SideBySide);
        let areas = places.panes.iter().map(|p| p.area).chain(columns.map(|d| d.area));
        for part in areas {
            for row in part.y..part.y + part.height {
                for col in part.x..part.x + part.width {
                    prop_assert!(area.contains(col, row), "{:?} of {:?}", part, area);
                    seen[usize::from(row - y) * usize::from(width) + usize::from(col - x)] += 1;
                }
            }
        }
        prop_assert!(seen.iter().all(|count| *count == 1));
        // A title row that divides belongs to the panes below it.
        for divider in places.dividers.iter().filter(|d| d.axis == Axis::Stacked) {
            let below = places.at(divider.area.x, divider.area.y);
            prop_assert!(below.is_some_and(|place| place.area.y == divider.area.y));
        }
    }

    #[test]
    fn a_neighbour_lies_where_it_is_looked_for(
        steps in prop::collection::vec(step(), 1..24), from in 0..12_usize, towards in 0..4_u8,
    ) {
        let area = Area { x: 0, y: 1, width: 160, height: 50 };
        let Some(tree) = grown(&steps, area) else { return Ok(()) };
        let places = Places::of(&tree, area);
        let Some(here) = places.of_runner(id(from)) else { return Ok(()) };
        let found = places.beside(id(from), side(towards)).and_then(|id| places.of_runner(id));
        let here = here.area;
        let at_edge = match side(towards) {
            Side::Left => here.x == area.x,
            Side::Right => here.x + here.width == area.x + area.width,
            Side::Up => here.y == area.y,
            Side::Down => here.y + here.height == area.y + area.height,
        };
        match found {
            None => prop_assert!(at_edge || here.is_empty()),
            Some(there) => {
                let there = there.area;
                let is_there = match side(towards) {
                    Side::Left => there.x + there.width <= here.x,
                    Side::Right => there.x >= here.x + here.width,
                    Side::Up => there.y + there.height <= here.y,
                    Side::Down => there.y >= here.y + here.height,
                };
                prop_assert!(is_there);
            }
        }
    }

    #[test]
    fn a_divider_stays_where_it_was_put(length in 2..500_u16, at in 0..500_u16) {
        let mut tree = Tree::Pane(id(0));
        tree.split(Some(id(0)), Axis::SideBySide, id(1));
        let at = at.clamp(1, length - 1);
        tree.set_divider(&[], at, length);
        let area = Area { x: 0, y: 0, width: length + 1, height: 3 };
        prop_assert_eq!(Places::of(&tree, area).panes[0].area.width, at);
    }

    #[test]
    fn what_is_kept_is_read_back(steps in prop::collection::vec(step(), 1..24)) {
        let area = Area { x: 0, y: 0, width: 160, height: 50 };
        let tree = grown(&steps, area);
        let layout = Layout { focus: tree.as_ref().map(|t| t.runners()[0]), tree, is_zoomed: true };
        let panes = Panes { layout: layout.clone(), ..Panes::default() };
        let Some(saved) = SavedLayout::of(&panes) else { return Ok(()) };
        let mut restored = Panes::default();
        SavedLayout::parse(&saved.text()).unwrap().restore(&mut restored);
        prop_assert_eq!(restored.layout, layout);
    }
}

#[test]
fn a_grid_is_even_and_fits_the_shape_of_the_place() {
    let runners: Vec<_> = (0..7).map(id).collect();
    let shape = |count: usize, width, height| {
        let area = Area { x: 0, y: 0, width, height };
        let places = Places::of(&Tree::grid(&runners[..count], area).unwrap(), area);
        let rows: BTreeSet<_> = places.panes.iter().map(|place| place.area.y).collect();
        let top = places.panes.iter().filter(|place| place.area.y == 0).count();
        (rows.len(), top)
    };
    assert_eq!(shape(1, 80, 24), (1, 1));
    assert_eq!(shape(2, 200, 50), (1, 2));
    assert_eq!(shape(2, 80, 50), (2, 1));
    assert_eq!(shape(4, 200, 50), (2, 2));
    assert_eq!(shape(7, 200, 50), (3, 3));
}
