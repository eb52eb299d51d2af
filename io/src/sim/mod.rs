//! The simulated world: one thread, one seed.

use crate::Instant;
use crate::{
    Buf, BufMut, ChoreOutput, CoreId, DirEntry, ListenerId, OpenHow, Parcel, Piece, Pool, ReadHow, Result, SocketId, Space, Timestamp,
    Token,
};
use std::net::SocketAddr;
use std::path::Path;

pub struct Core;

#[allow(unused_variables, reason = "skeleton")]
impl Core {
    pub fn id(&self) -> CoreId {
        todo!()
    }
    pub fn cores(&self) -> u16 {
        todo!()
    }
    pub fn now(&self) -> Instant {
        todo!()
    }
    pub fn wall(&self) -> Timestamp {
        todo!()
    }
    pub fn random(&mut self) -> u64 {
        todo!()
    }
    pub fn stop(&mut self) {
        todo!()
    }
    pub fn pool(&self) -> &Pool {
        todo!()
    }
    pub fn fs(&self) -> crate::Fs {
        todo!()
    }
    pub fn read(&mut self, file: &crate::File, position: u64, into: BufMut, how: ReadHow, token: Token) {
        todo!()
    }
    pub fn write(&mut self, file: &crate::File, position: u64, bufs: Vec<Buf>, token: Token) {
        todo!()
    }
    pub fn sync(&mut self, file: &crate::File, token: Token) {
        todo!()
    }
    pub fn allocate(&mut self, file: &crate::File, position: u64, len: u64, token: Token) {
        todo!()
    }
    pub fn resident(&mut self, file: &crate::File, position: u64, len: u64) -> bool {
        todo!()
    }
    pub fn chore(&mut self, token: Token, work: Box<dyn FnOnce(&crate::Fs) -> ChoreOutput + Send>) {
        todo!()
    }
    pub fn listen(&mut self, address: SocketAddr) -> Result<ListenerId> {
        todo!()
    }
    pub fn listener_address(&self, listener: ListenerId) -> SocketAddr {
        todo!()
    }
    pub fn unlisten(&mut self, listener: ListenerId) {
        todo!()
    }
    pub fn connect(&mut self, address: SocketAddr, token: Token) {
        todo!()
    }
    pub fn recv(&mut self, socket: SocketId) {
        todo!()
    }
    pub fn recv_into(&mut self, socket: SocketId, into: BufMut) {
        todo!()
    }
    pub fn send(&mut self, socket: SocketId, pieces: Vec<Piece>) {
        todo!()
    }
    pub fn close(&mut self, socket: SocketId) {
        todo!()
    }
    pub fn tell(&mut self, to: CoreId, parcel: Parcel) {
        todo!()
    }
}

#[derive(Clone, Debug)]
pub struct Fs;

#[allow(unused_variables, reason = "skeleton")]
impl Fs {
    pub fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        todo!()
    }
    pub fn create_dir_all(&self, dir: &Path) -> Result<()> {
        todo!()
    }
    pub fn exists(&self, path: &Path) -> bool {
        todo!()
    }
    pub fn open(&self, path: &Path, how: OpenHow) -> Result<File> {
        todo!()
    }
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        todo!()
    }
    pub fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        todo!()
    }
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        todo!()
    }
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        todo!()
    }
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        todo!()
    }
    pub fn sync_dir(&self, dir: &Path) -> Result<()> {
        todo!()
    }
    pub fn lock(&self, path: &Path) -> Result<Option<FsLock>> {
        todo!()
    }
    pub fn space(&self, dir: &Path) -> Result<Space> {
        todo!()
    }
}

#[derive(Debug)]
pub struct FsLock;

#[derive(Clone, Debug)]
pub struct File;

#[allow(unused_variables, reason = "skeleton")]
impl File {
    pub fn len(&self) -> Result<u64> {
        todo!()
    }
    pub fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize> {
        todo!()
    }
    pub fn write_at(&self, position: u64, bytes: &[u8]) -> Result<()> {
        todo!()
    }
    pub fn sync(&self) -> Result<()> {
        todo!()
    }
    pub fn truncate(&self, len: u64) -> Result<()> {
        todo!()
    }
    pub fn allocate(&self, position: u64, len: u64) -> Result<()> {
        todo!()
    }
}

/// Is this thread inside a simulated world?
pub fn in_world() -> bool {
    false
}
pub fn fatal(status: i32, line: &str) -> ! {
    panic!("{status}: {line}")
}
