//! Kept as long as the program runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use mcp_gateway_model::secret::Secret;

use super::{Held, Keep, KeepFault};
use crate::words::copy;

/// Keeps secrets in memory.
#[derive(Debug, Default)]
pub struct MemoryKeep {
    entries: Mutex<HashMap<String, Secret>>,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[async_trait]
impl Keep for MemoryKeep {
    async fn load(&self, name: &str) -> Result<Option<Secret>, KeepFault> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(entries.get(name).map(copy))
    }

    async fn save(&self, name: &str, value: &Secret) -> Result<(), KeepFault> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.insert(name.to_owned(), copy(value));
        Ok(())
    }

    async fn remove(&self, name: &str) -> Result<(), KeepFault> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.remove(name);
        Ok(())
    }

    async fn names(&self) -> Result<Vec<String>, KeepFault> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(entries.keys().cloned().collect())
    }

    async fn hold(&self, name: &str) -> Result<Held, KeepFault> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            // whose turn nobody waits for is forgotten
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(name.to_owned()).or_default())
        };
        Ok(Held::new(turn.lock_owned().await))
    }
}
