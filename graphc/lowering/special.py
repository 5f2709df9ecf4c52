"""Special functions, which NumPy lacks."""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from graphc.lowering.table import lowers


@lowers("Erf")
def erf(x: Any, name: None = None) -> Any:
    """The error function."""
    return lax.erf(x)


@lowers("Erfc")
def erfc(x: Any, name: None = None) -> Any:
    """1 - erf(x)."""
    return lax.erfc(x)


@lowers("Lgamma")
def lgamma(x: Any, name: None = None) -> Any:
    """The logarithm of the absolute value of gamma(x)."""
    return lax.lgamma(x)


@lowers("Digamma")
def digamma(x: Any, name: None = None) -> Any:
    """The derivative of lgamma."""
    return lax.digamma(x)


@lowers("Polygamma")
def polygamma(a: Any, x: Any, name: None = None) -> Any:
    """The derivative of order a of digamma."""
    return lax.polygamma(*jnp.broadcast_arrays(a, x))


@lowers("Zeta")
def zeta(x: Any, q: Any, name: None = None) -> Any:
    """The Hurwitz zeta function."""
    return lax.zeta(*jnp.broadcast_arrays(x, q))


@lowers("Igamma")
def igamma(a: Any, x: Any, name: None = None) -> Any:
    """The lower regularized incomplete gamma function."""
    return lax.igamma(*jnp.broadcast_arrays(a, x))


@lowers("Igammac")
def igammac(a: Any, x: Any, name: None = None) -> Any:
    """The upper regularized incomplete gamma function."""
    return lax.igammac(*jnp.broadcast_arrays(a, x))


@lowers("IgammaGradA")
def igamma_grad_a(a: Any, x: Any, name: None = None) -> Any:
    """The derivative of igamma by a."""
    return lax.igamma_grad_a(*jnp.broadcast_arrays(a, x))


@lowers("Betainc")
def betainc(a: Any, b: Any, x: Any, name: None = None) -> Any:
    """The regularized incomplete beta function."""
    return special.betainc(*jnp.broadcast_arrays(a, b, x))


@lowers("BesselI0e")
def bessel_i0e(x: Any, name: None = None) -> Any:
    """exp(-abs(x)) times the modified Bessel function of order 0."""
    return lax.bessel_i0e(x)


@lowers("BesselI1e")
def bessel_i1e(x: Any, name: None = None) -> Any:
    """exp(-abs(x)) times the modified Bessel function of order 1."""
    return lax.bessel_i1e(x)
