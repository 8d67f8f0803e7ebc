//! What is done to the grants, and what is asked about them meanwhile.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    id::GrantId,
};
use mcp_gateway_store::{Prolonged, RedisStore, Store};
use tokio::task::spawn_local;

use super::{Grant, Judge, lines, pause, random};
use crate::{
    Answer,
    client::Line,
    key::Key,
    progress::now,
    requests,
    seed::{Pattern, Seed},
    soak::judge::Sent,
    stage::Stage,
};

/// How many grants live at a time.
const LIVING: usize = 100;
/// How many that have ended are still asked about.
const REMEMBERED: usize = 100;
/// How often each verifier lets a grant through before it ends.
const WARM: usize = 3;
/// How long an ended grant is looked at; whoever lets it through for longer will always.
const PATIENCE: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

/// The grants and whoever does something with them.
pub(super) struct Trouble {
    store: RedisStore,
    stage: RefCell<redis::Connection>,
    pattern: Pattern,
    key: Key,
    ports: Vec<u16>,
    judge: Rc<RefCell<Judge>>,
    living: RefCell<Vec<Rc<Grant>>>,
    ended: RefCell<VecDeque<Rc<Grant>>>,
    /// The grant that is about to end.
    next: RefCell<Option<Rc<Grant>>>,
}

impl Trouble {
    /// Writes the first grants.
    pub(super) fn new(
        stage: &Stage,
        pattern: Pattern,
        key: Key,
        ports: Vec<u16>,
        judge: Rc<RefCell<Judge>>,
    ) -> Answer<Self> {
        let trouble = Self {
            store: RedisStore::connect(&stage.redis.options())?,
            stage: RefCell::new(stage.database(0)?),
            pattern,
            key,
            ports,
            judge,
            living: RefCell::default(),
            ended: RefCell::default(),
            next: RefCell::default(),
        };
        for _ in 0..LIVING {
            trouble.add()?;
        }
        Ok(trouble)
    }

    fn add(&self) -> Answer<()> {
        let seed = Seed::new("mcp_client_bench", 583_231);
        let connection = &mut *self.stage.borrow_mut();
        self.pattern.write(connection, std::slice::from_ref(&seed))?;
        let request = requests::verify("/verify", &self.key.token(&seed)?);
        let id = GrantId::parse(&seed.grant)?;
        self.living.borrow_mut().push(Rc::new(Grant::new(id, request)));
        Ok(())
    }

    /// The grant of this name that ended, or is about to, not long ago.
    pub(super) fn find(&self, id: &str) -> Option<Rc<Grant>> {
        let next = self.next.borrow();
        let ended = self.ended.borrow();
        let mut all = next.iter().chain(ended.iter());
        all.find(|grant| grant.id.as_str() == id).cloned()
    }

    /// Asks about any grant, living or ended, over and over again.
    pub(super) async fn ask_at_random(self: Rc<Self>, until: Instant) -> Result<(), String> {
        let mut lines = lines(&self.ports).await.map_err(|fault| fault.to_string())?;
        while now() < until {
            let grant = self.any();
            let verifier = random(lines.len());
            self.ask(&mut lines[verifier], &grant, verifier).await?;
            pause(4).await;
        }
        Ok(())
    }

    fn any(&self) -> Rc<Grant> {
        let (living, ended) = (self.living.borrow(), self.ended.borrow());
        match ended.get(random(3 * REMEMBERED)) {
            Some(ended) => Rc::clone(ended),
            None => Rc::clone(&living[random(living.len())]),
        }
    }

    async fn ask(&self, line: &mut Line, grant: &Grant, verifier: usize) -> Result<u16, String> {
        let sent = Sent {
            at: now(),
            fenced: grant.fenced.get(),
        };
        let status = line
            .ask(grant.request.as_bytes())
            .await
            .map_err(|fault| format!("verifier {verifier}: {fault}"))?;
        self.judge.borrow_mut().answered(grant, verifier, sent, status);
        Ok(status)
    }

    /// Prolongs any grant that lives, or is just about to end.
    pub(super) async fn prolong_at_random(self: Rc<Self>, until: Instant) -> Result<(), String> {
        while now() < until {
            let chosen = match self.next.borrow().clone() {
                Some(next) if random(2) == 0 => next,
                _ => {
                    let living = self.living.borrow();
                    Rc::clone(&living[random(living.len())])
                }
            };
            let (time, life) = (
                SystemClock.now(),
                DAY + DAY * u32::try_from(random(300)).unwrap_or(1),
            );
            let prolonged = self.store.prolong(&chosen.id, time.plus(life), time).await;
            match prolonged.map_err(|fault| fault.to_string())? {
                Prolonged::Lives(_) => self.judge.borrow_mut().prolonged += 1,
                Prolonged::Ended if chosen.ending.get().is_some() => {}
                Prolonged::Ended => self.judge.borrow_mut().object(&chosen, "it ended by itself"),
            }
            pause(8).await;
        }
        Ok(())
    }

    /// Ends one grant after the other, each while both verifiers are asked about it without a pause.
    pub(super) async fn end_at_random(self: Rc<Self>, until: Instant) -> Result<(), String> {
        while now() < until {
            let grant = {
                let mut living = self.living.borrow_mut();
                let at = random(living.len());
                living.swap_remove(at)
            };
            *self.next.borrow_mut() = Some(Rc::clone(&grant));
            let watching: Vec<_> = (0..self.ports.len())
                .map(|verifier| spawn_local(Rc::clone(&self).look_closely(Rc::clone(&grant), verifier)))
                .collect();
            while !is_warm(&grant) && watching.iter().all(|task| !task.is_finished()) {
                pause(1).await;
            }
            grant.ending.set(Some(now()));
            let lived = self.store.end_grant(&grant.id, SystemClock.now()).await;
            grant.ended.set(Some(now()));
            if !lived.map_err(|fault| fault.to_string())? {
                self.judge
                    .borrow_mut()
                    .object(&grant, "it was gone before it was ended");
            }
            for task in watching {
                task.await.map_err(|fault| fault.to_string())??;
            }
            self.judge.borrow().end(Rc::clone(&grant));
            self.remember(grant);
            self.add().map_err(|fault| fault.to_string())?;
            pause(10).await;
        }
        Ok(())
    }

    /// Asks one verifier until it refuses.
    async fn look_closely(self: Rc<Self>, grant: Rc<Grant>, verifier: usize) -> Result<(), String> {
        let mut line = Line::open(self.ports[verifier])
            .await
            .map_err(|fault| fault.to_string())?;
        while self.ask(&mut line, &grant, verifier).await? == 200 {
            if grant.ended.get().is_some_and(|ended| ended.elapsed() > PATIENCE) {
                self.judge
                    .borrow_mut()
                    .object(&grant, "its end is never heard of");
                break;
            }
        }
        Ok(())
    }

    fn remember(&self, grant: Rc<Grant>) {
        *self.next.borrow_mut() = None;
        let mut ended = self.ended.borrow_mut();
        ended.push_front(grant);
        ended.truncate(REMEMBERED);
    }
}

fn is_warm(grant: &Grant) -> bool {
    grant
        .admitted
        .iter()
        .map(Cell::get)
        .all(|admitted| admitted >= WARM)
}
