package serve

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
)

const (
	// remembered is how long an answer of the API server holds.
	remembered = 10 * time.Second
	// mostRemembered is of how many tokens and rights it is held.
	mostRemembered = 4096
	// review is how long the API server may take to answer.
	review = 10 * time.Second
)

// gate asks the API server who somebody is and what they may do, and remembers the answers for a while: a page that
// asks every second must not load it.
type gate struct {
	kube    kubernetes.Interface
	answers *cache.LRUExpireCache
}

func newGate(kube kubernetes.Interface) *gate {
	return &gate{kube: kube, answers: cache.NewLRUExpireCache(mostRemembered)}
}

// bearer is the token of a request, empty for none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// identity and permission are keys of what is remembered. A token is kept as its digest, so that no dump has it.
type (
	identity   [sha256.Size]byte
	permission struct {
		user  string
		right Right
	}
)

// user is whose token it is; nil for one that the cluster does not know. The error is for no answer.
func (g *gate) user(ctx context.Context, token string) (*authenticationv1.UserInfo, error) {
	if token == "" {
		return nil, nil
	}
	key := identity(sha256.Sum256([]byte(token)))
	if known, ok := g.answers.Get(key); ok {
		return known.(*authenticationv1.UserInfo), nil
	}
	ctx, stop := context.WithTimeout(ctx, review)
	defer stop()
	answer, err := g.kube.AuthenticationV1().TokenReviews().Create(ctx,
		&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("asking who calls: %w", err)
	}
	var who *authenticationv1.UserInfo
	if answer.Status.Authenticated {
		who = &answer.Status.User
	}
	g.answers.Add(key, who, remembered)
	return who, nil
}

// allowed reports whether somebody has a right. The error is for no answer.
func (g *gate) allowed(ctx context.Context, who *authenticationv1.UserInfo, right Right) (bool, error) {
	// Groups and extra are part of who somebody is: two tokens of one user may differ in them.
	key := permission{fmt.Sprintf("%q %q %q %q", who.Username, who.UID, who.Groups, who.Extra), right}
	if known, ok := g.answers.Get(key); ok {
		return known.(bool), nil
	}
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range who.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	ctx, stop := context.WithTimeout(ctx, review)
	defer stop()
	answer, err := g.kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: right.Verb, Group: right.Group,
				Resource: right.Resource},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking what %s may do: %w", who.Username, err)
	}
	g.answers.Add(key, answer.Status.Allowed, remembered)
	return answer.Status.Allowed, nil
}
