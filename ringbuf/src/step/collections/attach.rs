//! Making an actor's collections from its region.

use crate::layout::{last_section, map_section, table_section, vector_section};
use crate::message::Message;
use crate::region::Section;
use crate::step::attach::Attach;
use crate::step::collections::last::DurableRing;
use crate::step::collections::map::{DurableMap, MapEntry};
use crate::step::collections::store::{Store, assert_fits};
use crate::step::collections::table::DurableTable;
use crate::step::collections::vector::DurableVec;
use crate::step::sections::{AttachError, claim, off};

impl<const MISTAKE: u8> Attach<'_, MISTAKE> {
    /// The actor's vector of that name, with room for `capacity` values.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if its section is missing, of another size or of another schema, or the actor has no undo log.
    pub fn vector<T: Message>(
        &mut self,
        name: &str,
        capacity: usize,
    ) -> Result<DurableVec<T, MISTAKE>, AttachError> {
        const { assert_fits::<T>() };
        let name = self.full_name(name);
        let schema = T::SCHEMA.to_text();
        let section = vector_section(&name, &schema, size_of::<T>(), capacity as u64);
        let store = self.store(&section, capacity as u64)?;
        Ok(DurableVec::new(store))
    }

    /// The actor's ring of the last `capacity` values, by its name.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn last<T: Message>(
        &mut self,
        name: &str,
        capacity: usize,
    ) -> Result<DurableRing<T, MISTAKE>, AttachError> {
        const { assert_fits::<T>() };
        let name = self.full_name(name);
        let schema = T::SCHEMA.to_text();
        let section = last_section(&name, &schema, size_of::<T>(), capacity as u64);
        let store = self.store(&section, u64::MAX)?;
        Ok(DurableRing::new(store))
    }

    /// The actor's map of that name, with room for `capacity` entries.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn map<K: Message, V: Message>(
        &mut self,
        name: &str,
        capacity: usize,
    ) -> Result<DurableMap<K, V, MISTAKE>, AttachError> {
        const {
            assert_fits::<K>();
            assert_fits::<V>();
        };
        let name = self.full_name(name);
        let schema = MapEntry::<K, V>::SCHEMA.to_text();
        let sizes = (size_of::<K>(), size_of::<V>());
        let section = map_section(&name, &schema, sizes, capacity as u64);
        let store = self.store(&section, capacity as u64)?;
        Ok(DurableMap::new(store, capacity))
    }

    /// The actor's table of that name, of `rows` rows.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn table<R: Message>(
        &mut self,
        name: &str,
        rows: usize,
    ) -> Result<DurableTable<R, MISTAKE>, AttachError> {
        const { assert_fits::<R>() };
        let name = self.full_name(name);
        let schema = R::SCHEMA.to_text();
        let section = table_section(&name, &schema, size_of::<R>(), rows as u64);
        let store = self.store(&section, u64::MAX)?;
        Ok(DurableTable::new(store))
    }

    fn full_name(&self, name: &str) -> String {
        format!("{}/{name}", self.actor)
    }

    fn store(&mut self, section: &Section, len_max: u64) -> Result<Store<MISTAKE>, AttachError> {
        let own = self.own;
        let entry = own.section(section.kind, &section.name)?;
        let claimed = claim(own, section.kind, &section.name)?;
        self.core.claims.push(claimed);
        let log = self.core.undo.as_ref();
        let log = log.ok_or_else(|| off(own, entry, "its actor has no undo log"))?;
        let store = Store::open(own, log, section)?;
        if store.len() > len_max {
            let problem = format!(
                "it holds {} entries, its capacity is {len_max}",
                store.len()
            );
            return Err(off(own, entry, problem));
        }
        Ok(store)
    }
}
