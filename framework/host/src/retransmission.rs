//! How soon a peer's connection sends again what the network lost.
//!
//! By default a segment that is lost repeatedly is sent again after 200 ms, 400 ms, 800 ms, and so on. While a third of all
//! packets is lost, such pauses add up to many seconds, in which heartbeats and votes wait behind one lost segment. Peers say
//! little most of the time, so their connections retry at an even pace instead. The kernel still adds the measured round trip,
//! so a long way is no reason for needless copies.

use std::os::fd::{AsRawFd as _, RawFd};
use tokio::net::TcpStream;

/// Retry a connection with few segments under way without doubling the pause (Linux, `tcp(7)`).
const THIN_LINEAR_TIMEOUTS: libc::c_int = 16;
/// The longest pause, in ms (Linux 6.15). The kernel takes no less than a second.
const RTO_MAX_MS: libc::c_int = 44;
/// The shortest pause beyond the round trip, in µs (Linux 6.15): about what a delayed acknowledgement takes.
const RTO_MIN_US: libc::c_int = 45;

const OPTIONS: [(libc::c_int, libc::c_int); 3] =
    [(THIN_LINEAR_TIMEOUTS, 1), (RTO_MAX_MS, 1_000), (RTO_MIN_US, 40_000)];

/// Lets the connection retry soon and evenly. A kernel that lacks an option keeps its own pace.
pub(crate) fn retry_soon(stream: &TcpStream) {
    for (option, value) in OPTIONS {
        let _ = set(stream.as_raw_fd(), option, value);
    }
}

fn set(socket: RawFd, option: libc::c_int, value: libc::c_int) -> std::io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: a plain system call on an open descriptor; the value outlives it.
    let result = unsafe {
        libc::setsockopt(socket, libc::IPPROTO_TCP, option, (&raw const value).cast::<libc::c_void>(), length)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::{THIN_LINEAR_TIMEOUTS, retry_soon};
    use std::os::fd::AsRawFd as _;
    use tokio::net::{TcpListener, TcpStream};

    fn value_of(stream: &TcpStream, option: libc::c_int) -> libc::c_int {
        let (mut value, mut length) = (0, size_of::<libc::c_int>() as libc::socklen_t);
        let to = (&raw mut value).cast::<libc::c_void>();
        // SAFETY: a plain system call on an open descriptor; the value and its length outlive it.
        let result =
            unsafe { libc::getsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, option, to, &raw mut length) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        value
    }

    #[test]
    fn a_peers_connection_retries_at_an_even_pace() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            assert_eq!(value_of(&stream, THIN_LINEAR_TIMEOUTS), 0);
            retry_soon(&stream);
            assert_eq!(value_of(&stream, THIN_LINEAR_TIMEOUTS), 1);
        });
    }
}
