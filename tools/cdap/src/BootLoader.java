import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The system class loader of a sandbox: a URLClassLoader, as on Java 8, because CDAP casts to one.
 *
 * <p>Its class path is the property {@code boot.classpath}: files and folders, and {@code folder/*} for a folder's jars.
 */
public final class BootLoader extends URLClassLoader {
  static {
    registerAsParallelCapable();
  }

  /** Called by the Java runtime with the class loader it would have used. */
  public BootLoader(ClassLoader builtIn) throws MalformedURLException {
    super(classPath(System.getProperty("boot.classpath")), builtIn.getParent());
  }

  private static URL[] classPath(String text) throws MalformedURLException {
    List<File> files = new ArrayList<>();
    for (String entry : text.split(File.pathSeparator)) {
      if (entry.endsWith("/*")) {
        File[] jars = new File(entry.substring(0, entry.length() - 2)).listFiles((folder, name) -> name.endsWith(".jar"));
        if (jars == null) {
          throw new IllegalArgumentException("there is no folder " + entry);
        }
        Arrays.sort(jars);
        files.addAll(Arrays.asList(jars));
      } else {
        files.add(new File(entry));
      }
    }
    // Spark and Hadoop read the class path from here.
    System.setProperty(
        "java.class.path", files.stream().map(File::getPath).collect(Collectors.joining(File.pathSeparator)));
    URL[] urls = new URL[files.size()];
    for (int i = 0; i < urls.length; i++) {
      urls[i] = files.get(i).toURI().toURL();
    }
    return urls;
  }

  /** Agents (and nobody else) add jars this way; the runtime looks for the method by its name. */
  void appendToClassPathForInstrumentation(String path) throws MalformedURLException {
    addURL(new File(path).toURI().toURL());
  }
}
