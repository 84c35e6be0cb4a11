"""Still pictures, in all looks at once."""
