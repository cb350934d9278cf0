"""HTTP below Flask: what arrives is read, limited, refused or given to a thread."""
