"""The part of Identity v3 that clients of block storage use, in Keystone's own forms."""
