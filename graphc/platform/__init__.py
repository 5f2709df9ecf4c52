"""What TF1 has around the graph: flags and `app.run`, logging, texts and bytes. Needs neither graph nor jax."""
