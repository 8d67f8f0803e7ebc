//! From when on it is certain that a verifier has heard of an end, whatever the time: by what Redis was asked, in its order.
//!
//! A verifier asks Redis for a `PING` only when the one before was answered, and hears the news in the order in which Redis
//! sends them. So when Redis was asked for three of them since the end, the second was answered: and that answer was behind
//! the news of the end.

use std::{collections::HashMap, rc::Rc};

use redis::{Connection, cmd};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
};

use super::{Grant, VERIFIERS, trouble::Trouble};
use crate::{Answer, stage::Stage};

/// How many questions there must be since the end.
const QUESTIONS: u8 = 3;

/// A grant that has ended, and how often Redis has been asked since by each verifier.
struct Fence {
    grant: Rc<Grant>,
    questions: [u8; VERIFIERS],
}

/// What Redis is asked, as it says itself.
pub(super) struct Fences {
    said: Lines<BufReader<TcpStream>>,
    connection: Connection,
    trouble: Rc<Trouble>,
    /// Which verifier follows the news from an address; `None` for all others.
    verifiers: HashMap<String, Option<usize>>,
    open: Vec<Fence>,
}

impl Fences {
    /// Begins to listen.
    pub(super) async fn begin(stage: &Stage, trouble: Rc<Trouble>) -> Answer<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.redis.port())).await?;
        stream.write_all(b"MONITOR\r\n").await?;
        let mut said = BufReader::new(stream).lines();
        let answer = said.next_line().await?;
        if answer.as_deref() != Some("+OK") {
            return Err(format!("Redis does not say what it is asked: {answer:?}").into());
        }
        Ok(Self {
            said,
            connection: stage.redis.connection(),
            trouble,
            verifiers: HashMap::new(),
            open: Vec::new(),
        })
    }

    /// Follows what Redis is asked.
    pub(super) async fn watch(mut self) -> Answer<()> {
        while let Some(line) = self.said.next_line().await? {
            match Asked::read(&line) {
                Some(Asked::End(id)) => {
                    let known = self.open.iter().any(|fence| fence.grant.id.as_str() == id);
                    if let Some(grant) = self.trouble.find(id).filter(|_| !known) {
                        self.open.push(Fence {
                            grant,
                            questions: [0; VERIFIERS],
                        });
                    }
                }
                Some(Asked::Ping(address)) => {
                    if let Some(verifier) = self.verifier(address)? {
                        self.asked_by(verifier);
                    }
                }
                None => {}
            }
        }
        Err("Redis says no more".into())
    }

    fn asked_by(&mut self, verifier: usize) {
        for fence in &mut self.open {
            fence.questions[verifier] = fence.questions[verifier].saturating_add(1);
        }
        self.open.retain(|fence| {
            let passed = fence.questions.iter().all(|number| *number >= QUESTIONS);
            if passed {
                fence.grant.fenced.set(true);
            }
            !passed
        });
    }

    /// Which verifier follows the news from there.
    fn verifier(&mut self, address: &str) -> Answer<Option<usize>> {
        if let Some(known) = self.verifiers.get(address) {
            return Ok(*known);
        }
        let list: String = cmd("CLIENT").arg("LIST").query(&mut self.connection)?;
        let found = follower(&list, address);
        self.verifiers.insert(address.to_owned(), found);
        Ok(found)
    }
}

/// The number of the verifier that follows the news from an address, by what `CLIENT LIST` says.
fn follower(list: &str, address: &str) -> Option<usize> {
    let field = |line: &'_ str, name: &str| {
        let mut fields = line.split(' ');
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    };
    let line = list
        .lines()
        .find(|line| field(line, "addr").as_deref() == Some(address))?;
    let follows = field(line, "flags").is_some_and(|flags| flags.contains('t'));
    let number: usize = field(line, "user")?.strip_prefix("verifier-")?.parse().ok()?;
    follows.then_some(number - 1)
}

/// What matters of what Redis was asked.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// Somebody took the record of a grant.
    End(&'a str),
    /// Somebody at this address asks whether it is there.
    Ping(&'a str),
}

impl<'a> Asked<'a> {
    /// From a line such as `+1700000000.123456 [0 127.0.0.1:5] "PING"`.
    fn read(line: &'a str) -> Option<Self> {
        let (head, words) = line.split_once("] ")?;
        let mut words = words.split('"').skip(1).step_by(2);
        let command = words.next()?;
        if command.eq_ignore_ascii_case("PING") {
            return Some(Self::Ping(head.rsplit_once(' ')?.1));
        }
        let takes = ["GETDEL", "DEL", "UNLINK"];
        if takes.iter().any(|take| command.eq_ignore_ascii_case(take)) {
            return words.find_map(|key| Some(Self::End(key.split_once(":grant:{")?.1.strip_suffix('}')?)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_and_a_question_are_told_from_the_rest() {
        let read = |words: &str| {
            let line = format!("+1763719200.123456 [0 127.0.0.1:40000] {words}");
            Asked::read(&line).map(|asked| format!("{asked:?}"))
        };
        assert_eq!(read("\"PING\"").unwrap(), "Ping(\"127.0.0.1:40000\")");
        assert_eq!(read("\"GETDEL\" \"mcpgw:grant:{abc}\"").unwrap(), "End(\"abc\")");
        assert_eq!(
            read("\"DEL\" \"mcpgw:refresh:{abc}\" \"mcpgw:upstream:{abc}\""),
            None
        );
        assert_eq!(read("\"GET\" \"mcpgw:grant:{abc}\""), None);
    }

    #[test]
    fn only_the_connection_that_follows_the_news_counts() {
        let list = "id=3 addr=127.0.0.1:1 flags=N user=verifier-1\nid=4 addr=127.0.0.1:2 flags=tB user=verifier-2\n\
                    id=5 addr=127.0.0.1:3 flags=N user=default\n";
        assert_eq!(follower(list, "127.0.0.1:1"), None);
        assert_eq!(follower(list, "127.0.0.1:2"), Some(1));
        assert_eq!(follower(list, "127.0.0.1:3"), None);
        assert_eq!(follower(list, "127.0.0.1:9"), None);
    }
}
