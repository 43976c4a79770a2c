//! Long runs of what may be done to a collection, beside the same on one of std's. Steps end in every way there is, and each
//! incarnation ends by being dropped where it stands, which is what a kill leaves.

use std::collections::{BTreeMap, VecDeque};

use airssys_ringbuf::step::{CollectionError, Verdict};

use crate::common::{Draws, Kept, LAST, MAP, Own, ROWS, Row, VECTOR, region};

#[derive(Clone)]
struct Model {
    cell: u64,
    vector: Vec<Row>,
    pushed: u64,
    last: VecDeque<Row>,
    map: BTreeMap<u64, Row>,
    table: Vec<Row>,
}

impl Model {
    fn kept(&self) -> Kept {
        Kept {
            cell: self.cell,
            vector: self.vector.clone(),
            last: (self.pushed, self.last.iter().copied().collect()),
            map: self.map.iter().map(|(key, row)| (*key, *row)).collect(),
            table: self.table.clone(),
        }
    }
}

fn is_full<T>(done: Result<T, CollectionError>) -> bool {
    match done {
        Ok(_) => false,
        Err(CollectionError::Full { .. }) => true,
        Err(other) => panic!("{other}"),
    }
}

fn vector(own: &mut Own, model: &mut Model, draws: &mut Draws) {
    let row = Row::of(draws.below(1 << 20));
    let index = draws.below(VECTOR as u64 + 2) as usize;
    let is_there = index < model.vector.len();
    match draws.below(8) {
        0..4 => {
            let full = is_full(own.vector.push(row));
            assert_eq!(full, model.vector.len() == VECTOR);
            if !full {
                model.vector.push(row);
            }
        }
        4 => assert_eq!(own.vector.pop().unwrap(), model.vector.pop()),
        5 => {
            assert_eq!(own.vector.set(index, row).is_ok(), is_there);
            if is_there {
                model.vector[index] = row;
            }
        }
        6 => {
            let taken = own.vector.swap_remove(index).ok();
            assert_eq!(taken, is_there.then(|| model.vector.swap_remove(index)));
        }
        _ => {
            let len = draws.below(40) as usize;
            own.vector.truncate(len).unwrap();
            model.vector.truncate(len);
        }
    }
    assert_eq!(own.vector.get(index), model.vector.get(index).copied());
    assert_eq!(own.vector.last(), model.vector.last().copied());
}

fn last(own: &mut Own, model: &mut Model, draws: &mut Draws) {
    if draws.below(40) == 0 {
        own.last.clear().unwrap();
        model.last.clear();
        model.pushed = 0;
    }
    let row = Row::of(draws.below(1 << 20));
    own.last.push(row).unwrap();
    model.pushed += 1;
    model.last.push_back(row);
    if model.last.len() > LAST {
        model.last.pop_front();
    }
    let index = draws.below(LAST as u64 + 1) as usize;
    assert_eq!(own.last.get(index), model.last.get(index).copied());
    assert_eq!(own.last.last(), Some(row));
}

fn map(own: &mut Own, model: &mut Model, draws: &mut Draws) {
    let key = draws.below(32);
    let row = Row::of(draws.below(1 << 20));
    let has_room = model.map.len() < MAP || model.map.contains_key(&key);
    match draws.below(8) {
        0..3 => {
            let full = is_full(own.map.insert(key, row));
            assert_eq!(full, !has_room);
            if has_room {
                model.map.insert(key, row);
            }
        }
        3..6 => assert_eq!(own.map.remove(&key).unwrap(), model.map.remove(&key)),
        6 => {
            let full = is_full(own.map.upsert(key, row, |row| row.id ^= 1));
            assert_eq!(full, !has_room);
            if has_room {
                model.map.entry(key).or_insert(row).id ^= 1;
            }
        }
        _ if draws.below(20) == 0 => {
            own.map.clear().unwrap();
            model.map.clear();
        }
        _ => {
            let updated = own.map.update(&key, |row| row.left[2] += 1).unwrap();
            let ours = model.map.get_mut(&key).map(|row| row.left[2] += 1);
            assert_eq!(updated, ours);
        }
    }
    assert_eq!(own.map.get(&key), model.map.get(&key).copied());
    assert_eq!(own.map.contains_key(&key), model.map.contains_key(&key));
    assert_eq!(own.map.len(), model.map.len());
}

fn table(own: &mut Own, model: &mut Model, draws: &mut Draws) {
    let row = draws.below(ROWS as u64 + 1) as usize;
    let value = Row::of(draws.below(1 << 20));
    let done = if draws.below(2) == 0 {
        own.table.set(row, value).is_ok()
    } else {
        own.table.update(row, |row| *row = value).is_ok()
    };
    assert_eq!(done, row < ROWS);
    if done {
        model.table[row] = value;
    }
    assert_eq!(own.table.get(row), model.table.get(row).copied());
}

#[test]
fn they_do_as_those_of_std_do_whatever_ends_a_step() {
    let region = region(2000);
    let mut own = Own::attach(&region);
    let mut committed = Model {
        cell: 0,
        vector: Vec::new(),
        pushed: 0,
        last: VecDeque::new(),
        map: BTreeMap::new(),
        table: vec![bytemuck_zeroed(); ROWS],
    };
    let mut draws = Draws(0x5eed);
    for step in 0..8000 {
        let mut model = committed.clone();
        own.core.begin(0);
        for _ in 0..draws.below(6) {
            match draws.below(5) {
                0 => vector(&mut own, &mut model, &mut draws),
                1 => last(&mut own, &mut model, &mut draws),
                2 | 3 => map(&mut own, &mut model, &mut draws),
                _ => table(&mut own, &mut model, &mut draws),
            }
        }
        if draws.below(2) == 0 {
            own.cell.set(step);
            model.cell = step;
        }
        assert_eq!(own.kept(), model.kept(), "in step {step}");
        match draws.below(8) {
            0..5 => {
                let _ = own.core.finish(Verdict::Keep).unwrap();
                committed = model;
            }
            5 => assert!(!own.core.finish(Verdict::Abort).unwrap().committed),
            6 => own.core.abandon(),
            _ => {
                drop(own);
                own = Own::attach(&region);
            }
        }
        assert_eq!(own.kept(), committed.kept(), "after step {step}");
    }
}

fn bytemuck_zeroed() -> Row {
    Row {
        id: 0,
        left: [0; 5],
        right: [0; 6],
    }
}
