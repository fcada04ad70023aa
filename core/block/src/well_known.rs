//! Attributes with a leaf of their own whatever the configuration says (block-format.md §3.3).

use crate::dedicated::{Kind, Scope};

/// An attribute with a fixed leaf. Version 5 has [`WellKnown::ServiceName`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WellKnown {
    ServiceName,
    Cluster,
    Namespace,
    Pod,
    Container,
    K8sClusterName,
    K8sNamespaceName,
    K8sPodName,
    K8sContainerName,
    HttpMethod,
    HttpUrl,
    HttpStatusCode,
}

impl WellKnown {
    /// Those of a resource in version 4, in the order of their leaves.
    pub const OF_RESOURCE: [Self; 9] = [
        Self::ServiceName,
        Self::Cluster,
        Self::Namespace,
        Self::Pod,
        Self::Container,
        Self::K8sClusterName,
        Self::K8sNamespaceName,
        Self::K8sPodName,
        Self::K8sContainerName,
    ];
    /// Those of a span in version 4, in the order of their leaves.
    pub const OF_SPAN: [Self; 3] = [Self::HttpMethod, Self::HttpUrl, Self::HttpStatusCode];

    /// The name of the attribute.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::ServiceName => "service.name",
            Self::Cluster => "cluster",
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::Container => "container",
            Self::K8sClusterName => "k8s.cluster.name",
            Self::K8sNamespaceName => "k8s.namespace.name",
            Self::K8sPodName => "k8s.pod.name",
            Self::K8sContainerName => "k8s.container.name",
            Self::HttpMethod => "http.method",
            Self::HttpUrl => "http.url",
            Self::HttpStatusCode => "http.status_code",
        }
    }

    /// The name of the leaf.
    pub fn leaf(self) -> &'static str {
        match self {
            Self::ServiceName => "ServiceName",
            Self::Cluster => "Cluster",
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
            Self::Container => "Container",
            Self::K8sClusterName => "K8sClusterName",
            Self::K8sNamespaceName => "K8sNamespaceName",
            Self::K8sPodName => "K8sPodName",
            Self::K8sContainerName => "K8sContainerName",
            Self::HttpMethod => "HttpMethod",
            Self::HttpUrl => "HttpUrl",
            Self::HttpStatusCode => "HttpStatusCode",
        }
    }

    /// Only values of this type go there.
    pub fn kind(self) -> Kind {
        match self {
            Self::HttpStatusCode => Kind::Int,
            _ => Kind::String,
        }
    }

    /// The leaf of an attribute of this scope, in version 4.
    pub fn find(scope: Scope, attribute: &str) -> Option<Self> {
        let all: &[Self] = match scope {
            Scope::Resource => &Self::OF_RESOURCE,
            Scope::Span => &Self::OF_SPAN,
            Scope::Event => &[],
        };
        all.iter()
            .copied()
            .find(|known| known.attribute() == attribute)
    }
}
