//! An embedded token store on sled.
