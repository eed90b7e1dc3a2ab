//! What a process can see and reach when it may call what it likes: each layer refuses these in
//! its own way, so that one can be told from another.

use super::errno;
use serde_json::{Value, json};

/// None if there is no such attempt.
pub(super) fn see(kind: &str, argument: &str) -> Option<Value> {
    let number = argument.parse::<i64>().unwrap_or(0);
    Some(match kind {
        "descriptors" => descriptors(),
        "environment" => std::env::vars().map(|(name, _)| json!(name)).collect(),
        "open" => match std::fs::File::open(argument) {
            Ok(_) => json!(0),
            Err(error) => json!(error.raw_os_error()),
        },
        "read" => match std::fs::read_to_string(argument) {
            Ok(text) => json!(text),
            Err(error) => json!(error.raw_os_error()),
        },
        "memory_of_parent" => see("open", &format!("/proc/{}/mem", parent()))?,
        "connect" => {
            match std::net::TcpStream::connect(("127.0.0.1", u16::try_from(number).ok()?)) {
                Ok(_) => json!(0),
                Err(error) => json!(error.raw_os_error()),
            }
        }
        "kill" => json!(call(libc::SYS_kill, [number, 0, 0, 0, 0, 0])),
        "map" => {
            let flags = i64::from(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let rights = i64::from(libc::PROT_READ | libc::PROT_WRITE);
            json!(call(libc::SYS_mmap, [0, number, rights, flags, -1, 0]))
        }
        "open_many" => open_many(number),
        "grow_file" => grow_file(number),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_millis(number.unsigned_abs()));
            json!(0)
        }
        "raw_call" => json!(call(number, [0; 6])),
        _ => return None,
    })
}

fn call(number: i64, arguments: [i64; 6]) -> i32 {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    #[expect(unsafe_code, reason = "forbidden calls have no safe wrapper")]
    // SAFETY: only numbers are passed; what is mapped is new memory that nobody uses.
    errno(unsafe { libc::syscall(number, first, second, third, fourth, fifth, sixth) })
}

fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// The numbers of the open descriptors, as far as a process may have.
fn descriptors() -> Value {
    let is_open = |fd: &i32| {
        let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
        #[expect(unsafe_code, reason = "asking for a descriptor that may not exist")]
        // SAFETY: the pointer is to a living value of the right type. The wrapper of libc would
        // make another call, which is not allowed.
        let result = unsafe { libc::syscall(libc::SYS_fstat, *fd, status.as_mut_ptr()) };
        result == 0
    };
    (0..1024).filter(is_open).map(|fd| json!(fd)).collect()
}

/// How many descriptors could be opened, at most so many.
fn open_many(most: i64) -> Value {
    let files: Vec<_> = (0..most).map_while(|_| std::fs::File::open("/dev/null").ok()).collect();
    json!(files.len())
}

/// Makes a file of so many bytes in memory; growing it past a limit is a signal, or an errno.
fn grow_file(bytes: i64) -> Value {
    #[expect(unsafe_code, reason = "forbidden calls have no safe wrapper")]
    // SAFETY: the name is static text.
    let fd = unsafe { libc::memfd_create(c"probe".as_ptr(), 0) };
    if fd < 0 {
        return json!(errno(-1));
    }
    json!(call(libc::SYS_ftruncate, [i64::from(fd), bytes, 0, 0, 0, 0]))
}
