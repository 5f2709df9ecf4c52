"""Program -> traceable function. Only ops that XLA must supply have code of their own here, under the file names of ir/ops."""
