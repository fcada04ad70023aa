//! Objects that are written piece by piece.

use bytes::Bytes;

use crate::error::Error;
use crate::local::LocalUpload;
use crate::remote::RemoteUpload;
use crate::sim::SimUpload;

/// An object under way. It appears as a whole when [`Upload::finish`] has resolved to `Ok`, and never if the upload is dropped before;
/// if `finish` fails, or is given up, it may or may not be there.
///
/// Up to four parts (see `part_size` and its like) are held in memory, as the buffers that were given, without a copy. What is smaller
/// than one part is sent in one request.
pub struct Upload(pub(crate) Kind);

pub(crate) enum Kind {
    Local(LocalUpload),
    Remote(RemoteUpload),
    Sim(SimUpload),
}

impl Upload {
    /// Adds bytes at the end. Waits while enough parts are under way.
    ///
    /// # Errors
    /// After one, or after a call that was given up, the upload cannot go on.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Local(upload) => upload.write(bytes).await,
            Kind::Remote(upload) => upload.write(bytes).await,
            Kind::Sim(upload) => upload.write(bytes).await,
        }
    }

    /// Makes the object appear, for good.
    pub async fn finish(self) -> Result<(), Error> {
        match self.0 {
            Kind::Local(upload) => upload.finish().await,
            Kind::Remote(upload) => upload.finish().await,
            Kind::Sim(upload) => upload.finish().await,
        }
    }

    /// Gives the upload up; dropping it does the same.
    pub fn abort(self) {}
}
