//! Asking several at once, without waiting for those that do not answer.

use std::future::Future;

use futures_util::{StreamExt, stream::FuturesUnordered};

/// What they answered, as soon as more than half have, or none is left to wait for; and the last fault until then.
pub(super) async fn ask_all<T, E, F>(asked: impl IntoIterator<Item = F>) -> (Vec<T>, Option<E>)
where
    F: Future<Output = Result<T, E>>,
{
    let mut open: FuturesUnordered<F> = asked.into_iter().collect();
    let enough = open.len() / 2 + 1;
    let (mut answers, mut last_fault) = (Vec::with_capacity(enough), None);
    while let Some(answer) = open.next().await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(fault) => last_fault = Some(fault),
        }
        if answers.len() >= enough {
            break;
        }
    }
    (answers, last_fault)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    type Asked<'a> = std::pin::Pin<Box<dyn Future<Output = Result<u8, &'static str>> + 'a>>;

    fn silent<'a>() -> Asked<'a> {
        Box::pin(pending())
    }

    fn says<'a>(answer: Result<u8, &'static str>) -> Asked<'a> {
        Box::pin(ready(answer))
    }

    #[tokio::test]
    async fn two_of_three_are_enough() {
        let (mut answers, fault) = ask_all([silent(), says(Ok(2)), says(Ok(3))]).await;
        answers.sort_unstable();
        assert_eq!((answers.as_slice(), fault), (&[2, 3][..], None));
    }

    #[tokio::test]
    async fn fewer_are_what_there_is_when_the_others_failed() {
        let (answers, fault) = ask_all([says(Err("a")), says(Ok(2)), says(Err("b"))]).await;
        assert_eq!(answers, [2]);
        assert!(fault.is_some());
        let (answers, fault) = ask_all([says(Err("a")), says(Err("a"))]).await;
        assert!(answers.is_empty());
        assert_eq!(fault, Some("a"));
        assert!(ask_all(Vec::<Asked<'_>>::new()).await.0.is_empty());
    }
}
