//! What is written by hand: length and record at a file's end, then fdatasync.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::Commits;
use crate::journals::{Failure, RECORD_BYTES};

pub struct Plain {
    file: File,
    bytes: Vec<u8>,
}

impl Plain {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("journal");
        let file = OpenOptions::new().create_new(true).read(true).append(true).open(path)?;
        Ok(Self { file, bytes: Vec::new() })
    }
}

impl Commits for Plain {
    fn commit(&mut self, records: &[[u8; RECORD_BYTES]]) -> Result<(), Failure> {
        self.bytes.clear();
        for record in records {
            self.bytes.extend_from_slice(&u32::try_from(record.len())?.to_le_bytes());
            self.bytes.extend_from_slice(&crc_fast::crc32_iscsi(record).to_le_bytes());
            self.bytes.extend_from_slice(record);
        }
        self.file.write_all(&self.bytes)?;
        Ok(self.file.sync_data()?)
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        let (mut header, mut record) = ([0; 8], Vec::new());
        loop {
            if reader.read(&mut header[..1])? == 0 {
                return Ok(());
            }
            reader.read_exact(&mut header[1..])?;
            let [length, crc] = [&header[..4], &header[4..]]
                .map(|field| u32::from_le_bytes(field.try_into().expect("four bytes")));
            record.resize(length as usize, 0);
            reader.read_exact(&mut record)?;
            if crc_fast::crc32_iscsi(&record) != crc {
                return Err("a record is damaged".into());
            }
            visit(&record);
        }
    }
}
