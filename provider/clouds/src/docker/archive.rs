//! Files in and out of containers, as tar archives (POSIX.1-1988 `ustar`), the only form that the engine takes.

const BLOCK: usize = 512;

/// What goes into an archive.
pub(super) enum Entry<'a> {
    /// A file, by its path: readable to all.
    File(&'a str, &'a [u8]),
    /// A folder, by its path: writable to all where that is said.
    Folder(&'a str, bool),
}

/// An archive of these. Paths have at most 100 bytes.
pub(super) fn pack(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let (path, mode, kind, content): (&str, u32, u8, &[u8]) = match entry {
            Entry::File(path, content) => (path, 0o644, b'0', content),
            Entry::Folder(path, open) => (path, if *open { 0o777 } else { 0o755 }, b'5', &[]),
        };
        archive.extend(header(path, mode, kind, content.len()));
        archive.extend(content);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn header(path: &str, mode: u32, kind: u8, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (place, byte) in block.iter_mut().skip(at).zip(text) {
            *place = *byte;
        }
    };
    put(0, path.as_bytes().get(..100).unwrap_or(path.as_bytes()));
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0").bytes()) {
        *place = byte;
    }
    block
}

/// Reads an archive as it comes, as far as the first file in it.
#[derive(Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// Bytes of a content that are still to be passed over.
    skip: usize,
}

impl Reader {
    /// Takes more of the archive: the name of the first file, once it was seen.
    pub(super) fn first_file(&mut self, chunk: &[u8]) -> Option<String> {
        self.buffer.extend_from_slice(chunk);
        loop {
            let passed = self.skip.min(self.buffer.len());
            self.buffer.drain(..passed);
            self.skip -= passed;
            let block = self.buffer.get(..BLOCK)?;
            let kind = block[156];
            let name = text(&block[..100]);
            let size = usize::from_str_radix(text(&block[124..136]).trim(), 8).unwrap_or(0);
            if matches!(kind, b'0' | 0) && !name.is_empty() {
                return Some(name);
            }
            self.skip = BLOCK + size.next_multiple_of(BLOCK);
        }
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_is_found_whatever_the_pieces() {
        let archive =
            pack(&[Entry::Folder("data/", true), Entry::Folder("data/bucket/", false), Entry::File("data/bucket/a", b"x")]);
        assert_eq!(archive.len() % BLOCK, 0);
        for size in [1, 7, 512, 513, 10_000] {
            let mut reader = Reader::default();
            let found = archive.chunks(size).find_map(|chunk| reader.first_file(chunk));
            assert_eq!(found.as_deref(), Some("data/bucket/a"), "in pieces of {size}");
        }
        let empty = pack(&[Entry::Folder("data/", true)]);
        assert_eq!(Reader::default().first_file(&empty), None);
    }

    #[test]
    fn tar_reads_what_is_packed() {
        let archive = pack(&[Entry::Folder("etc/", false), Entry::File("etc/a.cfg", &[b'x'; 700])]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.tar");
        std::fs::write(&file, archive).unwrap();
        let listed = std::process::Command::new("tar").args(["-tvf", file.to_str().unwrap()]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("drwxr-xr-x") && listed.contains("-rw-r--r--") && listed.contains("700"), "{listed}");
    }
}
