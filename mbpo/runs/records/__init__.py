"""What a run keeps on disk, typed: a file for each kind of record, and one that parses them all."""
