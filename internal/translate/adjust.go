package translate

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// adjustment is what an overlay makes of a price: factor × price + dollars, exactly.
type adjustment struct {
	factor  *big.Rat
	dollars *big.Rat
}

var hundred = big.NewRat(100, 1)

// fixedPrice reads spec.price, in dollars an hour: "0.0425".
func fixedPrice(text string) (adjustment, error) {
	dollars, ok := new(big.Rat).SetString(text)
	if !ok || dollars.Sign() < 0 {
		return adjustment{}, fmt.Errorf("price is %q; want dollars an hour such as \"0.0425\"", text)
	}
	return adjustment{factor: new(big.Rat), dollars: dollars}, nil
}

// changedPrice reads spec.priceAdjustment: dollars an hour or percent, with a sign: "-0.01", "+12.5%".
func changedPrice(text string) (adjustment, error) {
	number, percent := strings.CutSuffix(text, "%")
	amount, ok := new(big.Rat).SetString(number)
	signed := strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-")
	if !ok || !signed {
		return adjustment{}, fmt.Errorf(
			"priceAdjustment is %q; want a signed amount such as \"-0.01\" or percentage such as \"+10%%\"",
			text,
		)
	}
	if !percent {
		return adjustment{factor: big.NewRat(1, 1), dollars: amount}, nil
	}
	factor := new(big.Rat).Add(big.NewRat(1, 1), new(big.Rat).Quo(amount, hundred))
	return adjustment{factor: factor, dollars: new(big.Rat)}, nil
}

// maxPrice is where prices saturate: a million dollars an hour, far from an overflow of sums.
const maxPrice = 1_000_000 * shape.Dollar

// of is the adjusted price, rounded to the nearest micro-dollar, halves up. No price is below 0.
func (a adjustment) of(price shape.Money) shape.Money {
	micros := new(big.Rat).SetInt64(int64(price))
	micros.Mul(micros, a.factor)
	micros.Add(micros, new(big.Rat).Mul(a.dollars, new(big.Rat).SetInt64(int64(shape.Dollar))))
	if micros.Sign() <= 0 {
		return 0
	}
	if micros.Cmp(new(big.Rat).SetInt64(int64(maxPrice))) > 0 {
		return maxPrice
	}
	micros.Add(micros, big.NewRat(1, 2))
	return shape.Money(new(big.Int).Quo(micros.Num(), micros.Denom()).Int64())
}
