//! Asking several at once, without waiting for those that do not answer.

use std::future::Future;

use futures_util::{StreamExt, stream::FuturesUnordered};

/// What they answered, as soon as more than half have, or none is left to wait for.
pub(super) async fn ask_all<T, F>(asked: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = Option<T>>,
{
    let mut open: FuturesUnordered<F> = asked.into_iter().collect();
    let enough = open.len() / 2 + 1;
    let mut answers = Vec::with_capacity(enough);
    while let Some(answer) = open.next().await {
        answers.extend(answer);
        if answers.len() >= enough {
            break;
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    type Asked<'a> = std::pin::Pin<Box<dyn Future<Output = Option<u8>> + 'a>>;

    fn silent<'a>() -> Asked<'a> {
        Box::pin(pending())
    }

    fn says<'a>(answer: Option<u8>) -> Asked<'a> {
        Box::pin(ready(answer))
    }

    #[tokio::test]
    async fn two_of_three_are_enough() {
        let mut answers = ask_all([silent(), says(Some(2)), says(Some(3))]).await;
        answers.sort_unstable();
        assert_eq!(answers, [2, 3]);
    }

    #[tokio::test]
    async fn fewer_are_what_there_is_when_the_others_failed() {
        assert_eq!(ask_all([says(None), says(Some(2)), says(None)]).await, [2]);
        assert!(ask_all([says(None), says(None)]).await.is_empty());
        assert!(ask_all(Vec::<Asked<'_>>::new()).await.is_empty());
    }
}
