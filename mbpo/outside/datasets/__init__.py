"""Turn what runs measured and lived through into the files and datasets of other libraries."""
