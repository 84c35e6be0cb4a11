"""Still pictures, and sheets of one picture in all looks."""
