"""Sums over listeners, as whole numbers: they add up in any order, and moments follow from them."""

from dataclasses import dataclass

from analysis.statistics.sample_moments import SampleMoments


@dataclass(frozen=True, slots=True)
class ListenerSums:
    """Sums of one number x for each listener, or of a numerator x and a denominator y.

    Sums of disjoint listeners add up. Values are whole multiples of a power of ten, so that a sum
    has no rounding error of its own.

    Attributes:
        n: Number of listeners.
        x: Sum of x, in units of 10^-x_digits.
        xx: Sum of squares of x.
        y: Sum of y, in units of 10^-y_digits.
        xy: Sum of products.
        yy: Sum of squares of y.
        x_digits: Digits of x behind the point.
        y_digits: Digits of y behind the point.
    """

    n: int = 0
    x: int = 0
    xx: int = 0
    y: int = 0
    xy: int = 0
    yy: int = 0
    x_digits: int = 9
    y_digits: int = 9

    def __add__(self, more: "ListenerSums") -> "ListenerSums":
        """Add the sums of different listeners; both must have the same digits."""
        if (self.x_digits, self.y_digits) != (more.x_digits, more.y_digits):
            raise ValueError("sums of different digits do not add up")
        return ListenerSums(
            self.n + more.n,
            self.x + more.x,
            self.xx + more.xx,
            self.y + more.y,
            self.xy + more.xy,
            self.yy + more.yy,
            self.x_digits,
            self.y_digits,
        )

    @property
    def mean(self) -> SampleMoments:
        """Moments of x."""
        n, unit = self.n, 10.0**-self.x_digits
        mean = self.x / n * unit if n else float("nan")
        spread = (n * self.xx - self.x**2) / (n * (n - 1)) if n > 1 else float("nan")
        return SampleMoments(n, mean, spread * unit**2)

    @property
    def ratio(self) -> SampleMoments:
        """Moments of the ratio of totals, sum(x) / sum(y); see `SampleMoments.of_ratio`."""
        n, x, y, unit = self.n, self.x, self.y, 10.0 ** (self.y_digits - self.x_digits)
        if not y:
            return SampleMoments(n, float("nan"), float("nan"))
        squares = self.xx * y**2 - 2 * x * y * self.xy + x**2 * self.yy
        spread = n**2 * squares / (y**4 * (n - 1)) if n > 1 else float("nan")
        return SampleMoments(n, x / y * unit, spread * unit**2)
