//! DataFusion's errors as task failures: the variant decides what a style does next, so it must survive the way up.

use bench_model::TaskFailure;
use bench_plan::plain;
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use std::error::Error;
use std::io;

/// The failure behind an error.
///
/// A [`TaskFailure`] that a block reader raised comes back as it was, however deep operators have wrapped it. Memory that
/// ran out is [`TaskFailure::OutOfMemory`], trouble with files is worth another attempt, all else is final.
#[must_use]
pub fn task_failure(error: &DataFusionError) -> TaskFailure {
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    let mut transient = false;
    while let Some(cause) = link {
        if let Some(failure) = cause.downcast_ref::<TaskFailure>() {
            return failure.clone();
        }
        match datafusion_error(cause) {
            Some(DataFusionError::ResourcesExhausted(_)) => return TaskFailure::OutOfMemory(plain(error)),
            Some(DataFusionError::IoError(_) | DataFusionError::ObjectStore(_)) => transient = true,
            Some(DataFusionError::Collection(errors)) => {
                let known = errors.iter().map(task_failure).find(|f| !matches!(f, TaskFailure::Fatal(_)));
                return known.unwrap_or_else(|| TaskFailure::Fatal(plain(error)));
            }
            _ => {}
        }
        transient |= cause.is::<io::Error>() || matches!(cause.downcast_ref(), Some(ArrowError::IoError(..)));
        link = inner(cause);
    }
    if transient { TaskFailure::Transient(plain(error)) } else { TaskFailure::Fatal(plain(error)) }
}

fn datafusion_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a DataFusionError> {
    let shared = || cause.downcast_ref::<std::sync::Arc<DataFusionError>>().map(|shared| &**shared);
    cause.downcast_ref::<DataFusionError>().or_else(shared)
}

/// The next error inwards. An external error is looked at itself: its own `source` would skip it.
fn inner<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match (datafusion_error(cause), cause.downcast_ref::<ArrowError>()) {
        (Some(DataFusionError::External(boxed)), _) | (_, Some(ArrowError::ExternalError(boxed))) => Some(&**boxed),
        _ => cause.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{BlockId, FragmentId, JobId, TaskId};
    use std::sync::Arc;

    fn lost() -> TaskFailure {
        let task = TaskId { job: JobId(1), fragment: FragmentId(2), partition: 3 };
        TaskFailure::MissingBlock(BlockId { task, output: 4 })
    }

    #[test]
    fn a_lost_block_is_recognised_through_every_wrapping() {
        let bare = || DataFusionError::External(Box::new(lost()));
        let shared = DataFusionError::Shared(Arc::new(bare()));
        let context = DataFusionError::Context("joining".to_owned(), Box::new(bare()));
        let arrow = DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(bare()))), None);
        let external_shared = DataFusionError::External(Box::new(Arc::new(context.context("again"))));
        for error in [bare(), shared, arrow, external_shared, DataFusionError::Collection(vec![bare()])] {
            assert_eq!(task_failure(&error), lost(), "{error:?}");
        }
    }

    #[test]
    fn memory_files_and_the_rest_are_told_apart() {
        let memory = DataFusionError::ResourcesExhausted("no room".to_owned()).context("sorting");
        assert!(matches!(task_failure(&memory), TaskFailure::OutOfMemory(_)));
        let file = DataFusionError::from(io::Error::other("disk gone")).context("spilling");
        assert!(matches!(task_failure(&file), TaskFailure::Transient(_)));
        let cast = DataFusionError::Execution("cannot cast".to_owned());
        assert_eq!(task_failure(&cast), TaskFailure::Fatal("Execution error: cannot cast".to_owned()));
    }
}
