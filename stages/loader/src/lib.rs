//! TAKEN: the coordinator writes the loader on main; see ../TAKEN.md. Finish the snapshotter only.
//! Stage loader.
