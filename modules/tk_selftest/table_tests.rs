// SPDX-License-Identifier: GPL-2.0

//! KUnit suite of [`tk::rcu_table`](super::tk::rcu_table).

use super::tk::rcu_table::{
    Entry,
    RcuTable, //
};
use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc, //
    },
};

struct Number {
    key: usize,
    value: usize,
}

impl Entry for Number {
    fn key(&self) -> usize {
        self.key
    }
}

type Table = RcuTable<Number, usize>;

fn table() -> Result<Arc<Table>> {
    Arc::pin_init(Table::new(0), GFP_KERNEL)
}

fn value(table: &Table, key: usize) -> Option<usize> {
    let read_side = rcu::read_lock();
    table.get(key, &read_side).map(|number| number.value)
}

/// Keys as the kernel's allocator makes them: aligned, close together.
fn key(index: usize) -> usize {
    0x10_0000 + index * 192
}

fn fill(table: &Table, range: core::ops::Range<usize>) -> Result {
    for index in range {
        table.lock().put(Number {
            key: key(index),
            value: index,
        })?;
        // Lets grace periods end, so that the table may resize.
        if index % 512 == 0 {
            rcu::synchronize_rcu();
        }
    }
    Ok(())
}

#[kunit_tests(tk_rcu_table)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_has_nothing() -> Result {
        let table = table()?;
        assert!(value(&table, key(0)).is_none());
        assert!(value(&table, 0).is_none());
        assert!(!table.lock().remove(key(0)));
        Ok(())
    }

    #[test]
    fn what_is_put_in_is_found_until_it_is_removed() -> Result {
        let table = table()?;
        fill(&table, 0..10)?;
        assert_eq!(value(&table, key(3)), Some(3));
        assert!(table.lock().remove(key(3)));
        assert_eq!(value(&table, key(3)), None);
        assert!(!table.lock().remove(key(3)));
        assert_eq!(value(&table, key(4)), Some(4));
        Ok(())
    }

    #[test]
    fn a_second_entry_takes_the_place_of_the_first() -> Result {
        let table = table()?;
        fill(&table, 0..100)?;
        table.lock().put(Number {
            key: key(50),
            value: 7,
        })?;
        assert_eq!(value(&table, key(50)), Some(7));
        assert_eq!(value(&table, key(49)), Some(49));
        assert!(table.lock().remove(key(50)));
        assert_eq!(value(&table, key(50)), None);
        Ok(())
    }

    #[test]
    fn nothing_is_lost_while_the_table_grows_and_shrinks() -> Result {
        const MANY: usize = 20_000;

        let table = table()?;
        fill(&table, 0..MANY)?;
        for index in 0..MANY {
            assert_eq!(value(&table, key(index)), Some(index));
        }
        for index in 0..MANY {
            if index % 100 != 0 {
                assert!(table.lock().remove(key(index)));
            }
            if index % 512 == 0 {
                rcu::synchronize_rcu();
            }
        }
        for index in 0..MANY {
            let expected = (index % 100 == 0).then_some(index);
            assert_eq!(value(&table, key(index)), expected);
        }
        Ok(())
    }

    #[test]
    fn the_state_belongs_to_the_table() -> Result {
        let table = table()?;
        *table.lock().state() += 2;
        assert_eq!(*table.lock().state(), 2);
        Ok(())
    }
}
