package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// holdAnnotation on a pod keeps it from becoming Ready: "pending" leaves it as
// scheduled, any other value makes it Running but not Ready.
const holdAnnotation = "podledger.test/hold"

// kubelets stands in for the kubelets of all pretended nodes.
type kubelets struct {
	client kubernetes.Interface
	pods   cache.SharedIndexInformer
	queue  workqueue.TypedRateLimitingInterface[string]
	delay  time.Duration
}

// startNodes creates n nodes and plays their kubelets until ctx ends: it
// starts pods, after delay, and removes the deleted ones at once.
func startNodes(ctx context.Context, client kubernetes.Interface, n int, delay time.Duration) error {
	for i := range n {
		if err := createNode(ctx, client, fmt.Sprintf("node-%d", i)); err != nil {
			return err
		}
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(
		func(o *metav1.ListOptions) { o.FieldSelector = "spec.nodeName!=" }))
	k := &kubelets{
		client: client,
		pods:   factory.Core().V1().Pods().Informer(),
		queue:  workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
		delay:  delay,
	}
	enqueue := func(obj any) {
		if key, err := cache.MetaNamespaceKeyFunc(obj); err == nil {
			k.queue.Add(key)
		}
	}
	if _, err := k.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for range 8 {
		go k.work(ctx)
	}
	go func() { <-ctx.Done(); k.queue.ShutDown() }()
	return nil
}

// createNode makes a Ready node with room for 16 CPUs, 64 GiB and 110 pods.
// Nothing watches over its heartbeat: the node lifecycle controller is off.
func createNode(ctx context.Context, client kubernetes.Interface, name string) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("16"),
		corev1.ResourceMemory: resource.MustParse("64Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	_, err := client.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"},
		},
		Status: corev1.NodeStatus{
			Capacity:    room,
			Allocatable: room,
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Pretended",
				LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
			}},
		},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // --dir of an earlier run
	}
	return err
}

// work handles pods until the queue is shut down; a failure is tried again.
func (k *kubelets) work(ctx context.Context) {
	for {
		key, shutdown := k.queue.Get()
		if shutdown {
			return
		}
		err := k.sync(ctx, key)
		switch {
		case err == nil, apierrors.IsNotFound(err):
			k.queue.Forget(key)
		default:
			if !apierrors.IsConflict(err) && ctx.Err() == nil {
				klog.Errorf("pod %s: %v", key, err)
			}
			k.queue.AddRateLimited(key)
		}
		k.queue.Done(key)
	}
}

// sync takes one pod a step further.
func (k *kubelets) sync(ctx context.Context, key string) error {
	obj, exists, err := k.pods.GetStore().GetByKey(key)
	if err != nil || !exists {
		return err
	}
	pod := obj.(*corev1.Pod)
	pods := k.client.CoreV1().Pods(pod.Namespace)
	hold := pod.Annotations[holdAnnotation]
	wantReady := hold == ""
	running := pod.Status.Phase == corev1.PodRunning
	switch {
	case pod.DeletionTimestamp != nil:
		return pods.Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0))
	case hold == "pending", running && ready(pod) == wantReady:
		return nil // as it should be
	}
	if wait := time.Until(scheduledAt(pod).Add(k.delay)); !running && wait > 0 {
		k.queue.AddAfter(key, wait)
		return nil
	}
	pod = pod.DeepCopy()
	setRunning(pod, wantReady)
	_, err = pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

// condition returns the condition of a type, or an empty one.
func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func ready(pod *corev1.Pod) bool {
	return condition(pod, corev1.PodReady).Status == corev1.ConditionTrue
}

// scheduledAt has a resolution of one second, as all times in the API.
func scheduledAt(pod *corev1.Pod) time.Time {
	return condition(pod, corev1.PodScheduled).LastTransitionTime.Time
}

// setRunning fills in the status a kubelet would report.
func setRunning(pod *corev1.Pod, isReady bool) {
	now := metav1.Now()
	status := corev1.ConditionFalse
	if isReady {
		status = corev1.ConditionTrue
	}
	conditions := []corev1.PodCondition{
		condition(pod, corev1.PodScheduled),
		{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
		{Type: corev1.ContainersReady, Status: status, LastTransitionTime: now},
		{Type: corev1.PodReady, Status: status, LastTransitionTime: now},
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = conditions
	pod.Status.StartTime = &now
	pod.Status.ContainerStatuses = nil
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, Ready: isReady, Started: &isReady,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
}
