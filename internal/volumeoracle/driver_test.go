package volumeoracle

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

func createClass(ctx context.Context, api kubernetes.Interface, o runtime.Object) error {
	class, ok := o.(*storagev1.StorageClass)
	if !ok {
		return fmt.Errorf("no scene makes a %T", o)
	}
	_, err := api.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{})
	return err
}

// provision makes volumes as a driver of zonal disks does, until the test is over: in the zone of the node that the
// scheduler has chosen, or where the class says.
func provision(ctx context.Context, api kubernetes.Interface) {
	_ = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		list, err := api.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, nil // the next look may do better
		}
		for i := range list.Items {
			if c := &list.Items[i]; c.Spec.VolumeName == "" &&
				c.Annotations["volume.kubernetes.io/storage-provisioner"] == provisioner {
				makeVolume(ctx, api, c)
			}
		}
		return false, nil
	})
}

func makeVolume(ctx context.Context, api kubernetes.Interface, c *corev1.PersistentVolumeClaim) {
	name := *translate.ClassName(c)
	class, err := api.StorageV1().StorageClasses().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return
	}
	zone := zones[0]
	if len(class.AllowedTopologies) > 0 {
		zone = class.AllowedTopologies[0].MatchLabelExpressions[0].Values[0]
	}
	if node, chosen := c.Annotations["volume.kubernetes.io/selected-node"]; chosen {
		zone = strings.TrimPrefix(node, "node-")
	}
	v := newVolume("made-"+string(c.UID), name, zone)
	v.Spec.Capacity, v.Spec.AccessModes, v.Spec.VolumeMode = c.Spec.Resources.Requests, c.Spec.AccessModes,
		c.Spec.VolumeMode
	v.Spec.ClaimRef = &corev1.ObjectReference{
		Kind:       "PersistentVolumeClaim",
		APIVersion: "v1",
		Namespace:  c.Namespace,
		Name:       c.Name,
		UID:        c.UID,
	}
	v.Annotations = map[string]string{"pv.kubernetes.io/provisioned-by": provisioner}
	_, _ = api.CoreV1().PersistentVolumes().Create(ctx, v, metav1.CreateOptions{}) // one that exists is as good
}
