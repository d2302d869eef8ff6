package sandbox;

import io.cdap.cdap.runtime.spi.provisioner.Capabilities;
import io.cdap.cdap.runtime.spi.provisioner.Cluster;
import io.cdap.cdap.runtime.spi.provisioner.ClusterStatus;
import io.cdap.cdap.runtime.spi.provisioner.PollingStrategies;
import io.cdap.cdap.runtime.spi.provisioner.PollingStrategy;
import io.cdap.cdap.runtime.spi.provisioner.Provisioner;
import io.cdap.cdap.runtime.spi.provisioner.ProvisionerContext;
import io.cdap.cdap.runtime.spi.provisioner.ProvisionerSpecification;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Stands for the provisioner {@code gcp-dataproc}, which is not published: profiles that name it can be kept, listed and
 * assigned. It makes no cluster, so a run under such a profile fails.
 */
public final class StubDataproc implements Provisioner {
  @Override
  public ProvisionerSpecification getSpec() {
    return new ProvisionerSpecification("gcp-dataproc", "Dataproc", "Stands for Dataproc. Makes no cluster.");
  }

  @Override
  public void validateProperties(Map<String, String> properties) {}

  @Override
  public Cluster createCluster(ProvisionerContext context) {
    throw new UnsupportedOperationException("this sandbox makes no Dataproc cluster");
  }

  @Override
  public ClusterStatus getClusterStatus(ProvisionerContext context, Cluster cluster) {
    return ClusterStatus.NOT_EXISTS;
  }

  @Override
  public Cluster getClusterDetail(ProvisionerContext context, Cluster cluster) {
    return new Cluster(cluster, ClusterStatus.NOT_EXISTS);
  }

  @Override
  public void deleteCluster(ProvisionerContext context, Cluster cluster) {}

  @Override
  public PollingStrategy getPollingStrategy(ProvisionerContext context, Cluster cluster) {
    return PollingStrategies.fixedInterval(1, TimeUnit.SECONDS);
  }

  @Override
  public Capabilities getCapabilities() {
    return Capabilities.EMPTY;
  }
}
